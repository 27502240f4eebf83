// jose, as a service that is sent tokens.

import { createRemoteJWKSet, jwtVerify } from 'jose'
import { run } from './steps.mjs'

async function verify({ alg, audience, issuer, jwks_uri, token, typ }) {
  const keys = createRemoteJWKSet(new URL(jwks_uri))
  const { payload } = await jwtVerify(token, keys, { algorithms: [alg], audience, issuer, typ })
  return payload
}

await run({ verify })
