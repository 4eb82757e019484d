package metamer

import "fmt"

// The paper's procedure (Boehm et al. 2025): projected gradient descent in 5000 steps, of
// which each is one active member's.
const (
	paperOptimizer = "pgd"
	paperSteps     = 5000
)

// Paper returns the recipe with the paper's procedure for what it leaves open. A step
// size or a number of steps of its own it keeps, and so it does another optimiser, which
// CheckPaper refuses.
func (r Recipe) Paper() Recipe {
	def(&r.Optimizer.Name, paperOptimizer)
	def(&r.Steps, paperSteps)
	return r
}

// CheckPaper reports an optimiser that the paper's procedure does not have.
func CheckPaper(o Optimizer) error {
	if o.Name != "" && o.Name != paperOptimizer {
		return fmt.Errorf("paper is the paper's procedure with the optimiser %s, expected no other than that (%s)", paperOptimizer, o.Name)
	}
	return nil
}

// IsPaper says whether the recipe is made by the paper's procedure, whatever its number of
// steps.
func (r Recipe) IsPaper() bool {
	r = r.WithDefaults()
	paper := Recipe{Models: r.Models, Steps: r.Steps}.Paper().WithDefaults()
	return r.Optimizer == paper.Optimizer && r.Schedule == paper.Schedule && r.Loss == paper.Loss && r.Penalties == nil && r.WarmUp == nil && r.Round == 0
}
