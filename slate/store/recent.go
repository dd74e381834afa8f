package store

import (
	"container/list"
	"sync"
)

// recent keeps values within a bound of what they cost together; those go first that
// were not used for longest. It is safe for concurrent use.
type recent[K comparable, V any] struct {
	most int
	cost func(V) int

	mu    sync.Mutex
	byKey map[K]*list.Element
	order *list.List // of *keptValue, the one that was used last in front
	kept  int        // what they cost
}

type keptValue[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](most int, cost func(V) int) *recent[K, V] {
	return &recent[K, V]{most: most, cost: cost, byKey: map[K]*list.Element{}, order: list.New()}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.byKey[key]
	if ok {
		r.order.MoveToFront(e)
		value = e.Value.(*keptValue[K, V]).value
	}
	return value, ok
}

// put keeps a value in place of the one that the key had, even one that is too large
// alone.
func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.byKey[key]; ok {
		r.drop(e)
	}
	r.byKey[key] = r.order.PushFront(&keptValue[K, V]{key, value})
	for r.kept += r.cost(value); r.kept > r.most && r.order.Len() > 1; {
		r.drop(r.order.Back())
	}
}

func (r *recent[K, V]) drop(e *list.Element) {
	v := r.order.Remove(e).(*keptValue[K, V])
	delete(r.byKey, v.key)
	r.kept -= r.cost(v.value)
}
