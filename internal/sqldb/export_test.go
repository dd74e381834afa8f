package sqldb

import "time"

// BoundWrites shortens the bound on statements. It is called before any write.
func (db *DB) BoundWrites(d time.Duration) { db.writer.bound = d }
