// Reads what to do from standard input, and prints what came of it.
//
// Standard input holds a list of steps; each names a function of the script by its member `do`. Standard
// output holds a list of as many outcomes: what the function returned, as `ok`, or the library's own error.

import { json } from 'node:stream/consumers'
import { importPKCS8 } from 'jose'

async function told(error) {
  const answered = error.response && !error.response.bodyUsed ? await error.response.json() : undefined
  return {
    class: error.constructor.name,
    text: error.message,
    // Of an error in the body the library knows the code; of a challenge it leaves the body to us.
    code: error.error ?? answered?.error ?? error.code,
    description: error.error_description ?? answered?.error_description,
    status: error.status,
    challenges: Array.isArray(error.cause) ? error.cause : undefined,
  }
}

export async function run(functions) {
  const outcomes = []
  for (const step of await json(process.stdin)) {
    try {
      outcomes.push({ ok: await functions[step.do](step) })
    } catch (error) {
      outcomes.push({ error: await told(error) })
    }
  }
  process.stdout.write(JSON.stringify(outcomes))
}

// How a client authenticates, by the library's own means.
export async function authentication(library, { client, names_key }) {
  switch (client.method) {
    case 'client_secret_basic':
      return library.ClientSecretBasic(client.secret)
    case 'client_secret_post':
      return library.ClientSecretPost(client.secret)
    case 'client_secret_jwt':
      return library.ClientSecretJwt(client.secret)
    case 'private_key_jwt': {
      const key = await importPKCS8(client.pem, client.alg)
      return library.PrivateKeyJwt(names_key ? { key, kid: client.kid } : key)
    }
  }
}

export function asked(step) {
  const parameters = new URLSearchParams()
  if (step.scope) parameters.set('scope', step.scope)
  for (const resource of [step.resource ?? []].flat()) parameters.append('resource', resource)
  return parameters
}
