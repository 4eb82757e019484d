package metamer

// In plan files an optimiser, a schedule and a warm-up are written as on the command line, or
// by their fields, whose names are those of recipes.

// UnmarshalYAML reads a name or fields.
func (o *Optimizer) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&o.Name) == nil {
		return nil
	}
	type fields Optimizer
	return unmarshal((*fields)(o))
}

// UnmarshalYAML reads KIND[:EVERY[:ORDER]] or fields.
func (s *Schedule) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		v, err := ParseSchedule(text)
		*s = v
		return err
	}
	type fields Schedule
	return unmarshal((*fields)(s))
}

// UnmarshalYAML reads a name. The rest of a reference is filled in by the engine.
func (m *ModelRef) UnmarshalYAML(unmarshal func(any) error) error { return unmarshal(&m.Name) }

// MarshalYAML writes what UnmarshalYAML reads.
func (m ModelRef) MarshalYAML() (any, error) { return m.Name, nil }

// UnmarshalYAML reads STAGE:EVALUATIONS[:PRECISION] or fields.
func (w *WarmUp) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		v, err := ParseWarmUp(text)
		if v != nil {
			*w = *v
		}
		return err
	}
	type fields WarmUp
	return unmarshal((*fields)(w))
}
