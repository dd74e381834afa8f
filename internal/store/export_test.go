package store

const (
	KeptChanges = keptChanges
	TrimEvery   = trimEvery
	KeptEnded   = keptEnded
	KeptMarked  = keptMarked
)

func (q ProfileQuery) Statement() (string, []any) { return q.statement() }
