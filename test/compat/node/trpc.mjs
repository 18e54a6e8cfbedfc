// Walks the genuine tRPC client in the folder that is the first argument, with both of its links, through the API whose
// address is the second, and prints what came of each step as JSON: an empty fault is a success.
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [dir, api] = process.argv.slice(2)
const entry = createRequire(path.join(dir, 'x.js')).resolve('@trpc/client')
const loaded = await import(pathToFileURL(entry).href)
const trpc = loaded.httpLink ? loaded : loaded.default
const create = trpc.createTRPCProxyClient ?? trpc.createTRPCClient
const steps = []

async function step(name, work) {
  let fault = ''
  try {
    await work()
  } catch (e) {
    fault = `${e.name}: ${e.message}` || 'failed'
  }
  steps.push({ name, fault })
}

function want(holds, what) {
  if (!holds) throw new Error(typeof what === 'string' ? what : JSON.stringify(what))
}

// has checks that an answer has exactly these members, so that one that is missing or misspelled is found.
function has(value, names, more = []) {
  const keys = Object.keys(value).filter((k) => !more.includes(k)).sort().join()
  want(keys === [...names].sort().join(), `members are ${keys}`)
}

async function refused(work, code, status) {
  try {
    await work()
  } catch (e) {
    want(e.name === 'TRPCClientError' && e.data?.code === code && e.data.httpStatus === status && e.shape.code < 0 && e.message, { name: e.name, shape: e.shape })
    return e
  }
  throw new Error('nothing was thrown')
}

async function rest(method, where, body) {
  const r = await fetch(api + where, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
  const answer = await r.json()
  want(r.ok, answer)
  return answer
}

const complete = { taskType: 'simple', messages: [{ role: 'user', content: 'What is 2+2? Just answer with the number.' }], options: { temperature: 0, maxTokens: 20, topP: 1, bypassCache: false } }
const campaign = await rest('POST', '/v1/campaigns', { name: 'trpc ' + Math.random() })
const job = await rest('POST', '/v1/jobs/lead-qualification', { campaign_id: campaign.id, lead: { business_name: 'Chez Grüße', city: 'Montréal', email: 'a' + Math.random() + '@example.com' } })
await fetch(`${api}/v1/jobs/${job.id}?wait=30s`)

await rest('POST', '/v1/llm/complete', { task_type: 'analysis', messages: [{ role: 'user', content: 'Compare tea and coffee.' }] }) // which costs money

for (const linkName of ['httpLink', 'httpBatchLink']) {
  let requests = []
  const spy = async (url, init) => {
    const r = await fetch(url, init)
    requests.push({ method: init?.method ?? 'GET', status: r.status, type: r.headers.get('content-type') })
    return r
  }
  const client = (headers = {}) => create({ links: [trpc[linkName]({ url: api + '/api/trpc', headers, fetch: spy })] })
  const c = client()
  const named = (name, work) => step(`${linkName}: ${name}`, async () => {
    requests = []
    await work()
  })

  await named('llm.complete', async () => {
    const r = await c.llm.complete.mutate(complete)
    has(r, ['content', 'model', 'provider', 'usage', 'metadata'])
    has(r.usage, ['promptTokens', 'completionTokens', 'totalTokens'])
    has(r.metadata, ['taskType', 'latencyMs', 'cached', 'fallbackAttempts', 'timestamp', 'simulated'])
    want(r.content === '4' && typeof r.metadata.cached === 'boolean' && r.metadata.simulated === true && r.metadata.taskType === 'simple', r)
    want(requests.length === 1 && requests[0].method === 'POST' && requests[0].type.startsWith('application/json'), requests)
  })
  await named('llmAnalytics.summary', async () => {
    for (const r of [await c.llmAnalytics.summary.query({ days: 7 }), await c.llmAnalytics.summary.query()]) {
      has(r, ['totalCalls', 'totalTokens', 'totalCostCAD', 'totalSavingsCAD', 'unknownCosts', 'providers', 'models', 'taskTypes', 'dailyUsage', 'cacheMetrics', 'circuitBreakerStatus'], ['simulated'])
      has(r.providers.openrouter, ['calls', 'tokens', 'estimatedCostCAD', 'avgLatencyMs', 'errorRate', 'unknownCosts'])
      has(Object.values(r.models)[0], ['provider', 'calls', 'tokens', 'estimatedCostCAD', 'avgLatencyMs', 'unknownCosts'])
      has(r.taskTypes.simple, ['calls', 'tokens', 'estimatedCostCAD', 'topModels', 'unknownCosts'])
      has(r.taskTypes.simple.topModels[0], ['model', 'calls'])
      has(r.dailyUsage.at(-1), ['date', 'calls', 'tokens', 'estimatedCostCAD', 'cacheHits', 'cacheMisses', 'unknownCosts'])
      has(r.cacheMetrics, ['hits', 'misses', 'hitRate', 'savingsCAD'])
      want(r.totalCalls > 0 && typeof r.totalCostCAD === 'number', r)
    }
  })
  await named('llmAnalytics.forecast', async () => {
    const r = await c.llmAnalytics.forecast.query({ horizonDays: 14 })
    has(r, ['currentMonthlyCAD', 'projectedMonthlyCAD', 'dailyForecast'])
    const long = await c.llmAnalytics.forecast.query()
    if (r.dailyForecast.length === 0) return want(long.dailyForecast.length === 0, 'a forecast without history') // all answers were free so far
    want(r.dailyForecast.length === 14 && long.dailyForecast.length === 30, `${r.dailyForecast.length} days, ${long.dailyForecast.length} by default`)
    has(r.dailyForecast[0], ['day', 'estimatedCostCAD'], ['date'])
  })
  await named('llmAnalytics.cacheMetrics and cacheInvalidate', async () => {
    has(await c.llmAnalytics.cacheMetrics.query(), ['hits', 'misses', 'hitRate', 'estimatedSavingsUSD'], ['simulated'])
    const r = await c.llmAnalytics.cacheInvalidate.mutate({ pattern: 'llm:cache:simple:*' })
    has(r, ['invalidated'])
    want(r.invalidated >= 1, r)
    want(typeof (await c.llmAnalytics.cacheInvalidate.mutate()).invalidated === 'number', 'no count')
  })
  await named('llmAnalytics.circuitBreakerStatus and Reset', async () => {
    const r = await c.llmAnalytics.circuitBreakerStatus.query()
    for (const b of Object.values(r)) has(b, ['state', 'failureCount', 'successCount', 'nextAttemptTime'])
    want(r.openrouter?.state === 'CLOSED' && r.openrouter.nextAttemptTime === null, r.openrouter)
    want((await c.llmAnalytics.circuitBreakerReset.mutate({ provider: 'openrouter' })).success === true, 'no success')
    want((await c.llmAnalytics.circuitBreakerReset.mutate({})).success === true, 'no success for all')
  })
  await named('leads.listByCampaign, by id and by number', async () => {
    const leads = await c.leads.listByCampaign.query({ campaignId: campaign.id })
    want(leads.length === 1 && leads[0].businessName === 'Chez Grüße', leads)
    const number = leads[0].campaignId
    want((await c.leads.listByCampaign.query({ campaignId: number })).length === 1, `none by the number ${number}`)
    want((await c.leads.listByCampaign.query({ campaignId: String(number) })).length === 1, `none by the text ${number}`)
  })
  await named('contents.create', async () => {
    const [lead] = await c.leads.listByCampaign.query({ campaignId: campaign.id })
    for (const hashtags of [['#un', '#deux'], '["#un","#deux"]']) {
      const r = await c.contents.create.mutate({ leadId: lead.id, campaignId: lead.campaignId, textContent: 'Une terrasse, ' + Math.random(), hashtags, qualityScore: 80, status: 'pending' })
      want(r.textContent.startsWith('Une terrasse') && r.id !== undefined && r.status === 'pending', r)
    }
  })
  await named('refusals', async () => {
    await refused(() => c.llmAnalytics.summary.query({ days: 'seven' }), 'BAD_REQUEST', 400)
    await refused(() => c.llm.complete.mutate({}), 'BAD_REQUEST', 400)
    await refused(() => c.llm.complete.mutate({ ...complete, taskType: 'nope' }), 'BAD_REQUEST', 400)
    await refused(() => c.leads.listByCampaign.query({ campaignId: '01990000-0000-7000-8000-000000000000' }), 'NOT_FOUND', 404)
    const e = await refused(() => c.llmAnalytics.nope.query(), 'NOT_FOUND', 404)
    want(e.data.path === 'llmAnalytics.nope' && e.data.stack === undefined, e.data)
    await refused(() => c.llm.complete.query(complete), 'METHOD_NOT_SUPPORTED', 405)
    await refused(() => client({ 'x-api-key': 'ag_live_wrong' }).llmAnalytics.summary.query(), 'UNAUTHORIZED', 401)
  })
  if (linkName !== 'httpBatchLink') continue
  await named('three queries in one tick are one request', async () => {
    const r = await Promise.all([c.llmAnalytics.summary.query({ days: 1 }), c.llmAnalytics.cacheMetrics.query(), c.llmAnalytics.circuitBreakerStatus.query()])
    want(requests.length === 1 && r.every(Boolean), requests)
  })
  await named('of a batch only the bad one fails', async () => {
    const [good, bad] = await Promise.allSettled([c.llmAnalytics.cacheMetrics.query(), c.llmAnalytics.nope.query()])
    want(good.status === 'fulfilled' && bad.reason?.data?.code === 'NOT_FOUND' && requests[0].status === 207, requests)
  })
  await named('two mutations in one tick are one POST', async () => {
    await Promise.all([c.llmAnalytics.cacheInvalidate.mutate({}), c.llmAnalytics.circuitBreakerReset.mutate({})])
    want(requests.length === 1 && requests[0].method === 'POST', requests)
  })
}

if (trpc.httpBatchStreamLink) { // version 11: the link of newer templates, which reads its answers as lines of a success
  const c = create({ links: [trpc.httpBatchStreamLink({ url: api + '/api/trpc' })] })
  await step('httpBatchStreamLink: answers', async () => {
    const [metrics, breakers] = await Promise.all([c.llmAnalytics.cacheMetrics.query(), c.llmAnalytics.circuitBreakerStatus.query()])
    want(typeof metrics.hits === 'number' && breakers.openrouter, metrics)
    want((await c.llm.complete.mutate(complete)).content === '4', 'not 4')
  })
  await step('httpBatchStreamLink: one refusal among answers, and nothing but refusals', async () => {
    const [good, bad] = await Promise.allSettled([c.llmAnalytics.cacheMetrics.query(), c.llmAnalytics.nope.query()])
    want(good.status === 'fulfilled' && bad.reason?.data?.code === 'NOT_FOUND', bad)
    await refused(() => c.llmAnalytics.summary.query({ days: 'seven' }), 'BAD_REQUEST', 400)
    await refused(() => c.llmAnalytics.nope.query(), 'NOT_FOUND', 404)
  })
}

console.log(JSON.stringify(steps))
