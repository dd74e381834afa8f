// Package hatest runs two Gatelodge servers on a PostgreSQL cluster of three nodes,
// takes its primary away under load and looks whether everything that had been
// acknowledged is still there. It has tests only. They need patroni and etcd and some
// minutes, so they run by "make ha" alone.
package hatest
