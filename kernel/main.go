// Command kernel is the Jupyter kernel "Go (metamers)" and its set-up:
//
//	go run ./kernel lab        # sets up what is missing and opens JupyterLab
//	go run ./kernel install    # into a Jupyter that is there already
//	go run ./kernel doctor
//	go run ./kernel uninstall
package main

import (
	"github.com/alecthomas/kong"

	"github.com/ensemble-metamers/metamers/kernel/setup"
	"github.com/ensemble-metamers/metamers/kernel/shim"
)

var commands struct {
	Install   setup.Install   `cmd:"" help:"Build the kernel and register it with Jupyter."`
	Lab       setup.Lab       `cmd:"" help:"Set up what is missing and open JupyterLab on the notebooks."`
	Doctor    setup.Doctor    `cmd:"" help:"Say what is there and what is missing."`
	Uninstall setup.Uninstall `cmd:"" help:"Remove the kernel from Jupyter."`
	Run       runCommand      `cmd:"" help:"Be the kernel: what Jupyter calls."`
	Watch     watchCommand    `cmd:"" hidden:""`
}

func main() {
	shim.Main() // if called as go, gopls, ... by GoNB
	setup.Native()
	ctx := kong.Parse(&commands, kong.Name("kernel"), kong.Description("The Jupyter kernel \"Go (metamers)\"."), kong.UsageOnError())
	if _, isKernel := ctx.Selected().Target.Addr().Interface().(*runCommand); !isKernel { // which unpacks while it answers
		ctx.FatalIfErrorf(setup.Unpack())
	}
	ctx.FatalIfErrorf(ctx.Run())
}
