//go:build !unix

package sqldb

func freeBytes(string) int64 { return -1 }
