package registry

import "unicode/utf8"

// farDistance ends the search for the edit distance: beyond it two addresses are not variants of one another, and the
// exact number is not worth what a stranger can make it cost.
const farDistance = 24

// likeness says how much two addresses have in common.
type likeness struct {
	explained bool // one common mistake accounts for the whole difference
	distance  int  // edit distance in bytes, at most farDistance+1
	shared    int  // bytes at the beginning and the end that are the same
}

func (l likeness) closer(o likeness) bool {
	if l.explained != o.explained {
		return l.explained
	}
	if l.distance != o.distance {
		return l.distance < o.distance
	}
	return l.shared > o.shared
}

func likenessOf(a, b string) likeness {
	prefix, suffix := shared(a, b)
	a, b = a[prefix:len(a)-suffix], b[prefix:len(b)-suffix]
	return likeness{distance: editDistance(a, b, farDistance), shared: prefix + suffix}
}

// shared returns how many bytes at the beginning and at the end are the same in both, without overlapping.
func shared(a, b string) (prefix, suffix int) {
	n := min(len(a), len(b))
	for prefix < n && a[prefix] == b[prefix] {
		prefix++
	}
	for suffix < n-prefix && a[len(a)-1-suffix] == b[len(b)-1-suffix] {
		suffix++
	}
	return prefix, suffix
}

// differences cuts both strings around what differs, never within a character.
func differences(a, b string) (inA, inB Difference) {
	prefix, suffix := shared(a, b)
	for prefix > 0 && !(startsRune(a, prefix) && startsRune(b, prefix)) {
		prefix--
	}
	for suffix > 0 && !(startsRune(a, len(a)-suffix) && startsRune(b, len(b)-suffix)) {
		suffix--
	}
	cut := func(s string) Difference {
		return Difference{s[:prefix], s[prefix : len(s)-suffix], s[len(s)-suffix:]}
	}
	return cut(a), cut(b)
}

func startsRune(s string, i int) bool { return i >= len(s) || utf8.RuneStart(s[i]) }

// editDistance is Levenshtein's, computed in a band of 2*limit+1 around the diagonal (Ukkonen), and limit+1 when it is
// greater than limit. It costs len(a)*limit steps at most, and far fewer on strings that have little in common.
func editDistance(a, b string, limit int) int {
	if diff := len(a) - len(b); diff > limit || -diff > limit {
		return limit + 1
	}
	previous, current := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = min(j, limit+1)
	}
	for i := 1; i <= len(a); i++ {
		low, high := max(1, i-limit), min(len(b), i+limit)
		current[low-1] = limit + 1
		if low == 1 {
			current[0] = min(i, limit+1)
		}
		smallest := current[low-1]
		for j := low; j <= high; j++ {
			d := previous[j-1]
			if a[i-1] != b[j-1] {
				d++
			}
			if j < i+limit { // above the band: not computed
				d = min(d, previous[j]+1)
			}
			current[j] = min(d, current[j-1]+1, limit+1)
			smallest = min(smallest, current[j])
		}
		if smallest > limit {
			return limit + 1
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
