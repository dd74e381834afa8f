package sqldb

import (
	"cmp"
	"context"
	"slices"
)

// Table describes a table alike on both dialects, so that tests can compare what
// one migration text became.
type Table struct {
	Name    string
	Columns []Column // in the order of declaration
	Indexes []Index  // sorted
}

// Column describes a column of a Table.
type Column struct {
	Name     string
	Type     string // int, bytes, text, or the dialect's own word for anything else
	Nullable bool
}

// Index describes a primary key, a UNIQUE constraint or an index of a Table.
type Index struct {
	Name    string // empty for primary keys and constraints, which each dialect names as it likes
	Columns []string
	Primary bool
	Unique  bool
	Partial bool
}

// Schema describes all tables but those that record migrations, by name.
func (db *DB) Schema(ctx context.Context) ([]Table, error) {
	columns, indexes := sqliteColumns, sqliteIndexes
	if db.dialect == Postgres {
		columns, indexes = postgresColumns, postgresIndexes
	}
	var tables []Table
	err := db.Read(ctx, func(tx *Tx) (err error) {
		tables, err = readTables(ctx, tx, columns, indexes)
		return err
	})
	return tables, err
}

// The queries give one row per column of a table, and one per column of an
// index. A rowid table allows NULL in a primary key other than INTEGER.
const (
	sqliteColumns = `
		SELECT t.name, c.name,
		       CASE c.type WHEN 'INTEGER' THEN 'int' WHEN 'BLOB' THEN 'bytes' WHEN 'TEXT' THEN 'text' ELSE c.type END,
		       c."notnull" = 0 AND NOT (c.pk > 0 AND c.type = 'INTEGER' AND 1 =
		           (SELECT COUNT(*) FROM pragma_table_info(t.name) k WHERE k.pk > 0))
		FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name NOT IN ($1, $2)
		ORDER BY t.name, c.cid`

	// An INTEGER PRIMARY KEY is the rowid itself and has no index.
	sqliteIndexes = `
		SELECT t.name, i.name, CASE i.origin WHEN 'c' THEN i.name ELSE '' END,
		       COALESCE(c.name, '') || CASE c."desc" WHEN 1 THEN ' DESC' ELSE '' END,
		       i.origin = 'pk', i."unique" = 1, i.partial = 1, c.seqno
		FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) c
		WHERE t.type = 'table' AND t.name NOT IN ($1, $2) AND c.key = 1
		UNION ALL
		SELECT t.name, '', '', c.name, TRUE, TRUE, FALSE, 0
		FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT IN ($1, $2) AND c.pk > 0
		  AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name) i WHERE i.origin = 'pk')
		ORDER BY 1, 2, 8`

	postgresColumns = `
		SELECT t.relname, c.attname,
		       CASE format_type(c.atttypid, c.atttypmod)
		           WHEN 'bigint' THEN 'int' WHEN 'bytea' THEN 'bytes' ELSE format_type(c.atttypid, c.atttypmod) END,
		       NOT c.attnotnull
		FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
		WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND t.relname NOT IN ($1, $2)
		  AND c.attnum > 0 AND NOT c.attisdropped
		ORDER BY t.relname COLLATE "C", c.attnum`

	postgresIndexes = `
		SELECT t.relname, n.relname, CASE WHEN k.oid IS NULL THEN n.relname ELSE '' END,
		       COALESCE(c.attname, '') || CASE i.indoption[x.n - 1] & 1 WHEN 1 THEN ' DESC' ELSE '' END,
		       i.indisprimary, i.indisunique, i.indpred IS NOT NULL, x.n
		FROM pg_index i
		JOIN pg_class t ON t.oid = i.indrelid
		JOIN pg_class n ON n.oid = i.indexrelid
		CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS x (attnum, n)
		LEFT JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum = x.attnum AND c.attnum > 0
		LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relname NOT IN ($1, $2) AND x.n <= i.indnkeyatts
		ORDER BY t.relname, n.relname, x.n`
)

func readTables(ctx context.Context, tx *Tx, columns, indexes string) ([]Table, error) {
	var tables []Table
	byName := make(map[string]int) // index in tables
	rows, err := tx.Query(ctx, columns, versionTable, reachTable)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var c Column
		if err := rows.Scan(&table, &c.Name, &c.Type, &c.Nullable); err != nil {
			return nil, err
		}
		i, ok := byName[table]
		if !ok {
			i = len(tables)
			byName[table] = i
			tables = append(tables, Table{Name: table})
		}
		tables[i].Columns = append(tables[i].Columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}

	rows, err = tx.Query(ctx, indexes, versionTable, reachTable)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	last := ""
	for rows.Next() {
		var table, internal, column string
		var x Index
		var position int64
		if err := rows.Scan(&table, &internal, &x.Name, &column, &x.Primary, &x.Unique, &x.Partial, &position); err != nil {
			return nil, err
		}
		t := &tables[byName[table]]
		if key := table + " " + internal; key != last {
			t.Indexes = append(t.Indexes, x)
			last = key
		}
		current := &t.Indexes[len(t.Indexes)-1]
		current.Columns = append(current.Columns, column)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, t := range tables {
		slices.SortFunc(t.Indexes, func(a, b Index) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Columns, b.Columns))
		})
	}
	return tables, nil
}
