// Prints what n8n keeps of its runs, as JSON: node runs.cjs INSTALL DATABASE [AFTER]. n8n's own API wants an account, and
// its command line shows no runs, so this reads the database with the libraries that n8n brought along.
const { createRequire } = require('node:module');
const path = require('node:path');

const [install, file, after = '0'] = process.argv.slice(2);
const load = createRequire(path.join(install, 'index.js'));
const sqlite = load('sqlite3');
const { parse } = createRequire(load.resolve('n8n/package.json'))('flatted');

const db = new sqlite.Database(file, sqlite.OPEN_READONLY, (failed) => {
	if (failed) throw failed;
	db.configure('busyTimeout', 10000);
	db.all(
		`SELECT e.id, e.workflowId AS workflow, e.status, e.mode, d.data FROM execution_entity e
		 JOIN execution_data d ON d.executionId = e.id WHERE e.id > ? ORDER BY e.id`,
		[Number(after)],
		(error, rows) => {
			if (error) throw error;
			process.stdout.write(JSON.stringify(rows.map(run)));
		},
	);
});

function run({ id, workflow, status, mode, data }) {
	const { runData = {}, error } = parse(data).resultData ?? {};
	const nodes = {};
	for (const [name, rounds] of Object.entries(runData)) {
		nodes[name] = rounds.map((r) => ({
			items: (r.data?.main ?? []).map((output) => output?.length ?? 0),
			json: (r.data?.main ?? []).flat().filter(Boolean).map((item) => item.json).at(-1) ?? null,
			error: r.error?.message ?? '',
		}));
	}
	return { id: Number(id), workflow, status, mode, error: error?.message ?? '', nodes };
}
