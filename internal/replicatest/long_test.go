package replicatest

import "os"

// longStop is how long TestStopped has a replica stand still, when it should be longer
// than it takes to see something: GATELODGE_STOP=1m is what the documents speak of.
func longStop() string { return os.Getenv("GATELODGE_STOP") }
