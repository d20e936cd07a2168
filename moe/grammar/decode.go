package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// value is a decoded JSON value: *object, []*value, string, json.Number, bool or nil.
type value struct{ v any }

// object keeps its order.
type object struct {
	keys []string
	vals []*value
	at   map[string]int
}

func (o *object) get(key string) (*value, bool) {
	i, ok := o.at[key]
	if !ok {
		return nil, false
	}
	return o.vals[i], true
}

// decodeJSON reads a JSON value in which no object has a key twice.
func decodeJSON(data []byte) (*value, error) {
	if len(data) > maxSource {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), maxSource)
	}
	if !json.Valid(data) { // also too deep for encoding/json
		return nil, fmt.Errorf("not valid JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return decode(d, 0)
}

func decode(d *json.Decoder, depth int) (*value, error) {
	if depth > 200 {
		return nil, fmt.Errorf("nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []*value{}
		for d.More() {
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		d.Token()
		return &value{list}, nil
	case json.Delim('{'):
		o := &object{at: map[string]int{}}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			if _, twice := o.get(k.(string)); twice {
				return nil, fmt.Errorf("key %q is there twice", k)
			}
			o.at[k.(string)] = len(o.keys)
			o.keys, o.vals = append(o.keys, k.(string)), append(o.vals, v)
		}
		d.Token()
		return &value{o}, nil
	}
	return &value{t}, nil
}
