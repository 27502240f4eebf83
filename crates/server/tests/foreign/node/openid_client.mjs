// openid-client, as a client of the authorization server.

import * as client from 'openid-client'
import { asked, authentication, run } from './steps.mjs'

function execute(step) {
  return step.insecure ? [client.allowInsecureRequests] : []
}

async function configured(step) {
  const { id } = step.client
  const how = await authentication(client, step)
  if (step.algorithm) {
    const options = { algorithm: step.algorithm, execute: execute(step) }
    return client.discovery(new URL(step.server.issuer), id, undefined, how, options)
  }
  const made = new client.Configuration(step.server, id, undefined, how)
  execute(step).forEach((it) => it(made))
  return made
}

async function discover(step) {
  return (await configured(step)).serverMetadata()
}

async function token(step) {
  return client.clientCredentialsGrant(await configured(step), asked(step))
}

// A token from its issue to its end.
async function life(step) {
  const made = await configured(step)
  const told = { token: await client.clientCredentialsGrant(made, asked(step)) }
  const { access_token } = told.token
  told.introspected = await client.tokenIntrospection(made, access_token)
  if (made.serverMetadata().userinfo_endpoint) {
    told.userinfo = await client.fetchUserInfo(made, access_token, step.client.id)
  }
  await client.tokenRevocation(made, access_token)
  told.after = await client.tokenIntrospection(made, access_token)
  return told
}

// A client that registers itself, and asks for a token with what it was told.
async function register(step) {
  const options = { algorithm: 'oauth2', execute: execute(step) }
  const made = await client.dynamicClientRegistration(
    new URL(step.server.issuer), step.metadata, undefined, options)
  return { registered: made.clientMetadata(), token: await client.clientCredentialsGrant(made) }
}

await run({ discover, life, register, token })
