package sqldb

import "runtime"

// maxGroup bounds how many writes share a commit, and so how long the first of
// them waits for the last.
const maxGroup = 128

// gather adds to first what waits already. It waits for no time: a group is what
// came while the last one was being committed, and what callers that can run now
// bring along, for whom it steps back as long as somebody comes.
func gather[T any](queue <-chan T, first T) []T {
	group := []T{first}
	for before := 0; before < len(group); {
		before = len(group)
		runtime.Gosched()
		group = waiting(queue, group)
	}
	return group
}

func waiting[T any](queue <-chan T, group []T) []T {
	for len(group) < maxGroup {
		select {
		case one := <-queue:
			group = append(group, one)
		default:
			return group
		}
	}
	return group
}
