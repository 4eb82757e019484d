function __complete_metamers
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    metamers
end
complete -f -c metamers -a "(__complete_metamers)"
