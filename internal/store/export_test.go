package store

const (
	KeptChanges = keptChanges
	TrimEvery   = trimEvery
)

func (q ProfileQuery) Statement() (string, []any) { return q.statement() }
