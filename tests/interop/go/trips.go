package main

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"
)

// Round trips by gossip: what asks begins with `q` and a number, what answers has `r` in its place.
const (
	ask       = 'q'
	reply     = 'r'
	headBytes = 9
	// An answer that takes longer counts as lost.
	lostAfter = 10 * time.Second
)

type trips struct {
	publish func(topic string, data []byte) (string, error)

	mutex    sync.Mutex
	echoed   map[string]bool
	silenced map[string]bool
	// The topic that is measured, and where its answers go.
	measured string
	answers  chan uint64
}

func newTrips(publish func(string, []byte) (string, error)) *trips {
	return &trips{publish: publish, echoed: map[string]bool{}, silenced: map[string]bool{}}
}

func (t *trips) echo(r request) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.echoed[r.Topic] = true
	t.silenced[r.Topic] = r.Quiet
}

// quiet says whether messages of a topic are not to be told.
func (t *trips) quiet(topic string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.silenced[topic]
}

func (t *trips) hear(topic string, data []byte) {
	if len(data) == 0 {
		return
	}
	t.mutex.Lock()
	echoed, measured, answers := t.echoed[topic], t.measured == topic, t.answers
	t.mutex.Unlock()
	switch {
	case data[0] == ask && echoed:
		answer := slices.Clone(data)
		answer[0] = reply
		if _, err := t.publish(topic, answer); err != nil {
			complain("echo", err)
		}
	case data[0] == reply && measured && answers != nil && len(data) >= headBytes:
		answers <- binary.BigEndian.Uint64(data[1:headBytes])
	}
}

func (t *trips) measure(r request) (fields, error) {
	if r.Count <= 0 || r.InFlight <= 0 {
		return nil, errors.New("count and in_flight must be positive")
	}
	t.mutex.Lock()
	if t.answers != nil {
		t.mutex.Unlock()
		return nil, errors.New("a measurement is under way")
	}
	answers := make(chan uint64, topicMessages)
	t.measured, t.answers = r.Topic, answers
	t.silenced[r.Topic] = t.silenced[r.Topic] || r.Quiet
	t.mutex.Unlock()
	defer func() {
		t.mutex.Lock()
		t.answers = nil
		t.mutex.Unlock()
		for { // Whoever still holds the channel must not be stuck on it.
			select {
			case <-answers:
			default:
				return
			}
		}
	}()

	start := time.Now()
	end := start
	var times []time.Duration
	open := map[uint64]time.Time{}
	lost, next := 0, 0
	ticks := time.NewTicker(250 * time.Millisecond)
	defer ticks.Stop()
	for next < r.Count || len(open) > 0 {
		for next < r.Count && len(open) < r.InFlight {
			message := make([]byte, max(r.Bytes, headBytes))
			message[0] = ask
			binary.BigEndian.PutUint64(message[1:], uint64(next))
			open[uint64(next)] = time.Now()
			next++
			if _, err := t.publish(r.Topic, message); err != nil {
				return nil, err
			}
		}
		select {
		case number := <-answers:
			if sent, waited := open[number]; waited {
				delete(open, number)
				end = time.Now()
				times = append(times, end.Sub(sent))
			}
		case <-ticks.C:
			for number, sent := range open {
				if time.Since(sent) > lostAfter {
					delete(open, number)
					lost++
				}
			}
		}
	}
	slices.Sort(times)
	line := fields{"seconds": nil, "p50_us": nil, "p99_us": nil, "lost": lost}
	if len(times) > 0 {
		quantile := func(percent int) int64 {
			return times[min(len(times)*percent/100, len(times)-1)].Microseconds()
		}
		line["seconds"], line["p50_us"], line["p99_us"] = end.Sub(start).Seconds(), quantile(50), quantile(99)
	}
	return line, nil
}
