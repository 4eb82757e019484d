"""Writes the notebook that lab.mjs drives."""

import sys

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

SHOW = 'import "github.com/ensemble-metamers/metamers/metamerkit/display"\n'
cells = [
    "6 * 7",
    SHOW + 'display.Show(display.SVG(`<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><circle cx="20" cy="20" r="18" fill="teal"/></svg>`))\n'
    "m := image.NewRGBA(image.Rect(0, 0, 60, 40))\nfor i := range m.Pix {\n\tm.Pix[i] = uint8(i) | uint8(i%4/3*255)\n}\nm",
    SHOW + 'live, _ := display.NewLive("")\nfor i := range 11 {\n\tlive.Update(display.HTML(fmt.Sprintf("<progress max=10 value=%d></progress> step %d of 10", i, i)))\n\tif i == 3 {\n\t\tfmt.Scanln() // until it was seen\n\t}\n}\nfmt.Println("done")',
    "",
    "func half(a int) int {\n\treturn 1 / a\n}\nhalf(0)",
    'var name string\nfmt.Print("Your name: ")\nfmt.Scanln(&name)\nfmt.Println("Hello", name)',
    'fmt.Println("sleeping")\ntime.Sleep(1000 * time.Second)',
    'func kept() string { return "kept" }\nkept()',
    "kept()",
    "turns, seen := 0, map[int]string{}",
    'for {\n\tturns++\n\tif turns == 1000 {\n\t\tseen[turns] = "a thousand"\n\t\tfmt.Println("turning")\n\t}\n}',
    "fmt.Println(turns >= 1000, seen)",
]
nb = new_notebook(cells=[new_code_cell(c) for c in cells], metadata={"kernelspec": {"name": "metamers-go", "display_name": "Go (metamers)", "language": "go"}})
nbformat.write(nb, sys.argv[1])
