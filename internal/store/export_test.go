package store

const KeptChanges = keptChanges

func (q ProfileQuery) Statement() (string, []any) { return q.statement() }
