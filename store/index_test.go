package store_test

import "testing"

// A row that is deleted is looked for in every table that refers to it. Without an index each such look reads that whole
// table: taking an import of forty thousand leads back took minutes for it. Workspaces are never deleted.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	rows, err := b.db.QueryContext(b.ctx, `
		SELECT c.conrelid::regclass::text || ' ' || pg_get_constraintdef(c.oid)
		FROM pg_constraint c
		WHERE c.contype = 'f' AND c.confrelid <> 'workspaces'::regclass AND NOT EXISTS (
			SELECT 1 FROM pg_index i
			WHERE i.indrelid = c.conrelid AND i.indisvalid
			  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
			  AND (i.indkey::int2[])[0] = ANY(c.conkey)
			  AND ((i.indkey::int2[])[0] <> (SELECT attnum FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attname = 'workspace_id')
				OR (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey))
		ORDER BY 1`)
	b.must(err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key string
		b.must(rows.Scan(&key))
		t.Errorf("no index for: %s", key)
	}
	b.must(rows.Err())
}
