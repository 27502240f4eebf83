// simple-oauth2, as a client of the authorization server.

import { ClientCredentials } from 'simple-oauth2'
import { run } from './steps.mjs'

async function token({ client, scope, server }) {
  const url = new URL(server.token_endpoint)
  const made = new ClientCredentials({
    client: { id: client.id, secret: client.secret },
    auth: { tokenHost: url.origin, tokenPath: url.pathname },
    options: { authorizationMethod: client.method === 'client_secret_post' ? 'body' : 'header' },
  })
  try {
    return (await made.getToken({ scope })).token
  } catch (error) {
    // It hands on what its HTTP client read.
    throw Object.assign(error, { error: error.data?.payload?.error })
  }
}

await run({ token })
