#!/bin/sh
# Starts an authorization server, an echo server, and a gateway before it (gateway.yaml), and makes a
# client. Ctrl-C ends all of them. What is built needs cmake (Debian: apt-get install cmake).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${TOKENWRIGHT_BIN:-}" ]; then
    cargo build --release -p server -p gateway --bin tokenwright --bin tokenwright-gateway --example echo-server
    TOKENWRIGHT_BIN=$(cargo metadata --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
    export PATH="$TOKENWRIGHT_BIN:$TOKENWRIGHT_BIN/examples:$PATH"
else
    export PATH="$TOKENWRIGHT_BIN:$PATH"
fi
config=${GATEWAY_CONFIG:-$here/gateway.yaml}

data=$(mktemp -d)
pids=
end() {
    trap - EXIT INT TERM
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$data"
}
trap end EXIT
trap 'exit 0' INT TERM

export TOKENWRIGHT__LISTEN="${TOKENWRIGHT__LISTEN:-127.0.0.1:3000}"
export TOKENWRIGHT__DATA_DIRECTORY="$data/tokenwright"
cd "$data"
tokenwright >tokenwright.log 2>&1 &
pids="$pids $!"
tries=0
until tokenwright healthcheck >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || { cat tokenwright.log; exit 1; }
    sleep 0.2
done

made=$(tokenwright client create demo --output json)
id=$(printf '%s' "$made" | sed -n 's/.*"client_id": *"\([^"]*\)".*/\1/p')
secret=$(printf '%s' "$made" | sed -n 's/.*"client_secret": *"\([^"]*\)".*/\1/p')
mkdir -p secrets/demo
(umask 077 && printf '%s' "$id" >secrets/demo/id && printf '%s' "$secret" >secrets/demo/secret)

echo-server "${ECHO_LISTEN:-127.0.0.1:9000}" &
pids="$pids $!"

cat <<TEXT
The gateway is at http://127.0.0.1:8000. Try, in another terminal:

  curl -u '$id:$secret' http://127.0.0.1:8000/kong/orders          # verified, then sent on
  curl -u '$id:$secret' http://127.0.0.1:8000/application/orders   # the caller's credentials
  curl http://127.0.0.1:8000/gateway/orders                        # the gateway's own
  curl -i http://127.0.0.1:8000/kong/orders                        # nobody's: 401

Each line below is a request, as the gateway logs it.
TEXT
tokenwright-gateway --config "$config" &
pids="$pids $!"
wait
