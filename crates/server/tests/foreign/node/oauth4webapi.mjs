// oauth4webapi, as a client of the authorization server and as a service that is sent tokens.

import * as oauth from 'oauth4webapi'
import { asked, authentication, run } from './steps.mjs'

function how(step) {
  return { [oauth.allowInsecureRequests]: step.insecure }
}

async function server(step) {
  if (!step.algorithm) return step.server
  const issuer = new URL(step.server.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: step.algorithm, ...how(step) })
  return oauth.processDiscoveryResponse(issuer, response)
}

async function parties(step) {
  const as = await server(step)
  const client = { client_id: step.client.id }
  return { as, client, auth: await authentication(oauth, step) }
}

async function issued({ as, client, auth }, step) {
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, asked(step), how(step))
  return oauth.processClientCredentialsResponse(as, client, response)
}

async function introspected({ as, client, auth }, token, step, requestJwtResponse = false) {
  const options = { requestJwtResponse, ...how(step) }
  const response = await oauth.introspectionRequest(as, client, auth, token, options)
  const told = await oauth.processIntrospectionResponse(as, client, response)
  if (requestJwtResponse) await oauth.validateApplicationLevelSignature(as, response, how(step))
  return told
}

async function token(step) {
  return issued(await parties(step), step)
}

// A token from its issue to its end.
async function life(step) {
  const all = await parties(step)
  const { as, client, auth } = all
  const told = { token: await issued(all, step) }
  const { access_token } = told.token
  told.introspected = await introspected(all, access_token, step)
  if (as.jwks_uri) {
    // RFC 9701: the answer is signed, and its signature is checked with the published keys.
    told.signed = await introspected(all, access_token, step, true)
  }
  if (as.userinfo_endpoint) {
    const response = await oauth.userInfoRequest(as, client, access_token, how(step))
    told.userinfo = await oauth.processUserInfoResponse(as, client, client.client_id, response)
  }
  const response = await oauth.revocationRequest(as, client, auth, access_token, how(step))
  told.revoked = (await oauth.processRevocationResponse(response)) ?? null
  told.after = await introspected(all, access_token, step)
  return told
}

// A client that registers itself, and asks for a token with what it was told.
async function register(step) {
  const as = await server(step)
  const response = await oauth.dynamicClientRegistrationRequest(as, step.metadata, how(step))
  const client = await oauth.processDynamicClientRegistrationResponse(response)
  const auth = oauth.ClientSecretBasic(client.client_secret)
  return { registered: client, token: await issued({ as, client, auth }, step) }
}

// The checks of RFC 9068 section 4.
async function verify_access_token(step) {
  const authorization = `Bearer ${step.token}`
  const request = new Request('http://api.example/', { headers: { authorization } })
  const options = { signingAlgorithms: [step.alg], ...how(step) }
  return oauth.validateJwtAccessToken(
    { issuer: step.issuer, jwks_uri: step.jwks_uri }, request, step.audience, options)
}

await run({ life, register, token, verify_access_token })
