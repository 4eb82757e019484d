// Package all registers every family of the zoo.
package all

import (
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/alexnet"      // family alexnet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/convnext"     // family convnext
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/densenet"     // family densenet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/efficientnet" // family efficientnet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/mobilenetv3"  // family mobilenetv3
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"         // family onnx
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/plaincifar"   // family plain_cifar
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/regnet"       // family regnet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/resnet"       // family resnet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/resnetcifar"  // family resnet_cifar
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/resnetsmall"  // family resnet_small
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/squeezenet"   // family squeezenet
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/swin"         // family swin
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/vgg"          // family vgg
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/vit"          // family vit
)
