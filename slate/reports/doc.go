// Package reports owns the files of reports: the folder they come from, the checks
// they pass, the archives that partners download, and the addresses under which they
// do.
//
// The folder is laid out as
//
//	<account>/<group>/<channel>/<type>/<period>.csv
//	1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.csv
//
// where the account is its number, the group one of store.Groups, the channel a name
// with its territory in brackets if it has one (of financial statements: the report
// identifier), the type a name whose last word is its cadence, and the period its
// first and last day, one day alone, or a month such as 2030-01.
//
// A period can be written in two ways. Of two files of one period the first that is read
// counts, and the other is set aside until that one is taken away: what is published
// does not go by the order in which they came.
//
// A file is read when its size or time has changed and it has been left alone for a
// moment. It is checked whole before anything of it is seen: UTF-8, a header row, rows
// of the same width, the columns of the reports before it. A file that fails stays
// where it is, and the reason is kept. One that passes becomes an archive named by its
// digest, written beside its place and renamed, and then one transaction makes it the
// report of its period, or the next version of that report. So a crash leaves an
// archive that nobody refers to, and never half a report.
package reports
