// Walks the official Node client through the API whose base URL is the argument, and prints what came of each step as
// JSON: an empty fault is a success.
import OpenAI from 'openai'

const openai = new OpenAI({ baseURL: process.argv[2], apiKey: 'unused', maxRetries: 0, timeout: 60_000 })
const gpt = 'openrouter/openai/gpt-4o-mini'
const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'Tell me about tea, grüße \u{1F375}' }] },
]
const steps = []

async function step(name, work) {
  let fault = ''
  try {
    await work()
  } catch (e) {
    fault = `${e.constructor.name}: ${e.message}` || 'failed'
  }
  steps.push({ name, fault })
}

function want(holds, what) {
  if (!holds) throw new Error(what)
}

async function thrown(work) {
  try {
    await work()
  } catch (e) {
    return e
  }
  throw new Error('nothing was thrown')
}

async function heard(body) {
  const out = { text: '', roles: [], finishes: [], usages: [], ids: new Set(), last: null }
  for await (const chunk of await openai.chat.completions.create({ messages, stream: true, ...body })) {
    out.last = chunk
    out.ids.add(chunk.id)
    if (chunk.usage) out.usages.push(chunk.usage)
    for (const { delta, finish_reason } of chunk.choices) {
      out.text += delta.content ?? ''
      if (delta.role) out.roles.push(delta.role)
      if (finish_reason) out.finishes.push(finish_reason)
    }
  }
  return out
}

await step('lists models', async () => {
  const ids = []
  for await (const m of openai.models.list()) ids.push(m.id)
  want(ids.includes('astro/simple') && ids.includes(gpt), `models: ${ids}`)
  const one = await openai.models.retrieve(gpt)
  want(one.id === gpt && one.object === 'model', JSON.stringify(one))
})

await step('completes', async () => {
  const { data, response } = await openai.chat.completions
    .create({ model: 'astro/analysis', messages, temperature: 0, max_completion_tokens: 60, n: 1, user: 'u', metadata: { a: 'b' }, seed: 1 })
    .withResponse()
  want(data.choices[0].message.content && data.usage.total_tokens > 0 && data.object === 'chat.completion', JSON.stringify(data))
  want(response.headers.get('x-astrogrowth-provider') === 'openrouter', 'no routing header')
})

await step('streams', async () => {
  const s = await heard({ model: 'astro/analysis', stream_options: { include_usage: true } })
  want(s.text && s.ids.size === 1 && s.roles[0] === 'assistant' && String(s.finishes) === 'stop', JSON.stringify(s))
  want(s.usages.length === 1 && s.last.choices.length === 0 && s.usages[0].total_tokens > 0, `usages ${JSON.stringify(s.usages)}`)
})

await step('streams by its helper', async () => {
  const r = await openai.chat.completions.stream({ model: 'astro/analysis', messages }).finalChatCompletion()
  want(r.choices[0].message.content, 'empty')
})

const schema = {
  type: 'object',
  properties: { name: { type: 'string' }, score: { type: 'integer' } },
  required: ['name', 'score'],
  additionalProperties: false,
}
const response_format = { type: 'json_schema', json_schema: { name: 'lead', strict: true, schema } }

await step('parses JSON of the shape asked for', async () => {
  const r = await openai.chat.completions.parse({ model: 'astro/analysis', messages, response_format })
  const lead = r.choices[0].message.parsed ?? JSON.parse(r.choices[0].message.content)
  want(typeof lead.name === 'string' && Number.isInteger(lead.score), JSON.stringify(lead))
})

await step('streams JSON of the shape asked for', async () => {
  const lead = JSON.parse((await heard({ model: gpt, response_format })).text)
  want(Number.isInteger(lead.score), JSON.stringify(lead))
})

await step('embeds, in base64 by default', async () => {
  const r = await openai.embeddings.create({ model: 'astro/embedding', input: ['tea', 'coffee'] })
  want(r.data.length === 2 && r.data[0].embedding.length === 768 && Number.isFinite(r.data[0].embedding[7]), JSON.stringify(r.data.map((d) => d.embedding.length)))
})

for (const [name, kind, status, code, work] of [
  ['a forged key', OpenAI.AuthenticationError, 401, 'invalid_api_key', () => new OpenAI({ baseURL: openai.baseURL, apiKey: 'ag_live_forged', maxRetries: 0 }).models.list()],
  ['an unknown model', OpenAI.NotFoundError, 404, 'model_not_found', () => openai.chat.completions.create({ model: 'no-such-model', messages })],
  ['an unknown model, streaming', OpenAI.NotFoundError, 404, 'model_not_found', () => heard({ model: 'no-such-model' })],
  ['a wrong type', OpenAI.BadRequestError, 400, null, () => openai.chat.completions.create({ model: gpt, messages, temperature: 'hot' })],
  ['an image', OpenAI.BadRequestError, 400, 'unsupported_parameter', () => openai.chat.completions.create({ model: gpt, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.test' } }] }] })],
  ["a provider's limit", OpenAI.InternalServerError, 503, 'rate_limit_exceeded', () => openai.chat.completions.create({ model: 'openrouter/google/gemini-2.5-flash-lite', messages })],
  ['an unknown path', OpenAI.NotFoundError, 404, 'unknown_url', () => openai.post('/no/such/thing', { body: {} })],
]) {
  await step(`understands ${name}`, async () => {
    const e = await thrown(work)
    want(e instanceof kind && e.status === status && e.code === code && e.error?.message && e.type, `${e.constructor.name} ${e.status} ${e.code} ${e.type} ${e.message}`)
    if (status === 503) want(e.headers.get('retry-after'), 'no retry-after')
  })
}

await step('hears of a stream that breaks', async () => {
  let n = 0
  const e = await thrown(async () => {
    for await (const chunk of await openai.chat.completions.create({ model: 'openrouter/google/gemini-3.1-flash-lite', messages, stream: true })) n += chunk.choices.length
  })
  want(e instanceof OpenAI.APIError && /broke off/.test(e.message) && n > 1, `${e.constructor.name} after ${n}: ${e.message}`)
})

const stalling = { model: 'openrouter/google/gemini-3.5-flash', messages, stream: true }

await step('leaves a stream by its loop', async () => {
  for await (const chunk of await openai.chat.completions.create(stalling)) if (chunk.choices[0]?.delta.content) break
})

await step('leaves a stream by its controller', async () => {
  const stream = await openai.chat.completions.create(stalling)
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) stream.controller.abort()
})

await step('is served afterwards', async () => {
  want((await openai.chat.completions.create({ model: 'astro/simple', messages })).choices[0].message.content, 'empty')
})

console.log(JSON.stringify(steps))
