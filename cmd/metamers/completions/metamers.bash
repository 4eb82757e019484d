complete -o default -o bashdefault -C metamers metamers
