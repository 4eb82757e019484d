package zoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Setting is one setting of a family's config, with its Go type.
type Setting struct {
	Name, Type string
	Value      any // of the card, or the family's default
}

// SettingError reports a setting that a family does not have.
type SettingError struct {
	*metamer.UnknownError
	Settings []Setting // those that it has, with the values of the config otherwise
}

// Error makes only the pointer an error, which errors.As looks for.
func (e *SettingError) Error() string { return e.UnknownError.Error() }

var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// Config decodes a card's config into c. An absent config leaves c unchanged. A setting
// that c does not have is a *SettingError.
func Config(raw json.RawMessage, c any) error {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(c)
	if err == nil {
		return nil
	}
	m := unknownField.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("config: %w", err)
	}
	all := settings(reflect.ValueOf(c).Elem())
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return fmt.Errorf("config: %w", &SettingError{metamer.Unknown("setting", m[1], names), all})
}

func settings(v reflect.Value) (out []Setting) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			out = append(out, settings(v.Field(i))...)
		} else if name != "" && name != "-" {
			out = append(out, Setting{name, f.Type.String(), v.Field(i).Interface()})
		}
	}
	return out
}

// Settings returns the settings of a card's family with the card's values. Families whose
// graph is in their files have none.
func Settings(c *card.Card) ([]Setting, error) {
	raw, err := MergeConfig(c.Config, json.RawMessage(`{"?":0}`)) // no family has it: the error lists those that it has
	if err != nil {
		return nil, err
	}
	mu.RLock()
	build, ok := builders[c.Family]
	mu.RUnlock()
	if !ok {
		return nil, nil
	}
	_, err = build(raw)
	var known *SettingError
	if !errors.As(err, &known) {
		return nil, fmt.Errorf("zoo: family %s: %w", c.Family, err)
	}
	return known.Settings, nil
}

// MergeConfig returns config with the settings of with added or replaced.
func MergeConfig(config, with json.RawMessage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, raw := range []json.RawMessage{config, with} {
		var one map[string]json.RawMessage
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("config %s: %w", raw, err)
		}
		maps.Copy(all, one)
	}
	if len(all) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	for i, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&out, "%c%q:%s", "{,"[min(i, 1)], k, all[k])
	}
	out.WriteByte('}')
	return json.RawMessage(out.Bytes()), nil
}
