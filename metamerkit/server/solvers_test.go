package server

import _ "github.com/ensemble-metamers/metamers/metamerkit/synth" // the optimisers
