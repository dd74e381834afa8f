package server

import "time"

// quietAfter is how long no password was checked when a burst of sign-ins is over.
const quietAfter = 5 * time.Second

// whenQuiet gives a function to call with each password that is checked, which calls
// free once they have stopped coming. Each password leaves 19 MiB behind; what a burst
// of them has made of the heap would stay for minutes.
func whenQuiet(free func()) func() {
	if free == nil {
		return nil
	}
	timer := time.AfterFunc(time.Hour, free)
	timer.Stop()
	return func() { timer.Reset(quietAfter) }
}
