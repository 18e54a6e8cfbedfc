// Prints, as JSON, what an installed n8n declares of the node versions given as TYPE@VERSION: node nodes.cjs INSTALL KEY...
// Per key: its parameters, the names below its parameter options, its number of outputs, and its credentials.
const { createRequire } = require('node:module');
const path = require('node:path');

const [install, ...keys] = process.argv.slice(2);
const root = createRequire(path.join(install, 'index.js'));
const load = createRequire(root.resolve('n8n/package.json'));
const base = path.dirname(load.resolve('n8n-nodes-base/package.json'));
const known = load(path.join(base, 'dist/known/nodes.json'));

const declared = {};
for (const key of keys) declared[key] = declaration(...key.split('@'));
process.stdout.write(JSON.stringify(declared));

function declaration(type, version) {
	const entry = known[type.replace('n8n-nodes-base.', '')];
	if (!entry) return null;
	const node = new (load(path.join(base, entry.sourcePath))[entry.className])();
	const versions = (node.nodeVersions ? Object.keys(node.nodeVersions) : [node.description.version].flat()).map(Number);
	if (!versions.includes(Number(version))) return null;
	const { properties, outputs, credentials = [] } = node.nodeVersions ? node.getNodeType(Number(version)).description : node.description;
	const here = properties.filter((p) => shown(p, Number(version)));
	return {
		params: here.map((p) => p.name),
		options: here.filter((p) => p.name === 'options').flatMap((p) => (p.options ?? []).map((o) => o.name)),
		outputs: Array.isArray(outputs) ? outputs.length : -1,
		credentials: credentials.map((c) => c.name),
	};
}

// A property may belong to some versions of its node only.
function shown({ displayOptions = {} }, version) {
	const among = (list) => [list].flat().some((v) => (typeof v === 'number' ? v === version : condition(v?._cnd ?? {}, version)));
	const { show = {}, hide = {} } = displayOptions;
	return !(show['@version'] && !among(show['@version'])) && !(hide['@version'] && among(hide['@version']));
}

function condition(cnd, version) {
	const tests = { eq: (x) => version === x, not: (x) => version !== x, gt: (x) => version > x, gte: (x) => version >= x, lt: (x) => version < x, lte: (x) => version <= x };
	return Object.entries(cnd).every(([name, x]) => tests[name]?.(x) ?? true);
}
