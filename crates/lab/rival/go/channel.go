package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// answers asks over one channel and gets the answer over another.
func answers(capacity int, target time.Duration) error {
	ask, answer := make(chan int, capacity), make(chan int, capacity)
	go func() {
		for value := range ask {
			answer <- value + 1
		}
	}()
	wrong := false
	count, elapsed := calibrate(target, func(count int) time.Duration {
		start := time.Now()
		for value := range count {
			ask <- value
			wrong = wrong || <-answer != value+1
		}
		return time.Since(start)
	})
	close(ask)
	if wrong {
		return errors.New("wrong answer")
	}
	reportNs("round_trip", elapsed, count)
	return nil
}

// flow sends through one channel until all senders have sent theirs.
func flow(p params, target time.Duration) error {
	capacity, bounded := p["capacity"]
	if !bounded {
		return errors.New("Go's channels have a bound")
	}
	senders, lost := p["senders"], false
	count, elapsed := calibrate(target, func(count int) time.Duration {
		messages := make(chan int, capacity)
		var left sync.WaitGroup
		left.Add(senders)
		var received atomic.Int64
		elapsed := race(senders+p["receivers"]+1, func(index int) {
			switch {
			case index == 0:
				// Go's channels do not count their senders.
				left.Wait()
				close(messages)
			case index <= senders:
				for value := range count {
					messages <- value
				}
				left.Done()
			default:
				own := int64(0)
				for range messages {
					own++
				}
				received.Add(own)
			}
		})
		lost = lost || received.Load() != int64(senders*count)
		return elapsed
	})
	if lost {
		return errors.New("messages were lost")
	}
	reportNs("message", elapsed, senders*count)
	return nil
}

// selecting receives from several channels at once, each with a sender of its own.
func selecting(p params, target time.Duration) error {
	channels := p["channels"]
	if channels != 2 && channels != 10 {
		return fmt.Errorf("no select for %d channels", channels)
	}
	count, elapsed := calibrate(target, func(count int) time.Duration {
		c := make([]chan int, channels)
		for index := range c {
			c[index] = make(chan int, p["capacity"])
		}
		return race(channels+1, func(index int) {
			switch {
			case index < channels:
				for value := range count {
					c[index] <- value
				}
			case channels == 2:
				for range channels * count {
					select {
					case <-c[0]:
					case <-c[1]:
					}
				}
			default:
				for range channels * count {
					receiveOfTen(c)
				}
			}
		})
	})
	reportNs("message", elapsed, channels*count)
	return nil
}

func receiveOfTen(c []chan int) {
	select {
	case <-c[0]:
	case <-c[1]:
	case <-c[2]:
	case <-c[3]:
	case <-c[4]:
	case <-c[5]:
	case <-c[6]:
	case <-c[7]:
	case <-c[8]:
	case <-c[9]:
	}
}
