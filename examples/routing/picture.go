package main

import (
	"encoding/json"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
)

// cell is the side of a heat map's square in pixels.
const cell = 24

// heatMap draws a row a layer and a column an expert: the share of the tokens that
// an expert gets, from dark (none) to bright (twice what an even split would give,
// or more).
func heatMap(w io.Writer, tr *trace) error {
	img := image.NewRGBA(image.Rect(0, 0, tr.experts*cell+1, len(tr.layers)*cell+1))
	for y, l := range tr.layers {
		s := tr.stats(l, all)
		for e := range tr.experts {
			c := heat(s.Share(e) * float64(tr.experts) / 2)
			for dy := 1; dy < cell; dy++ {
				for dx := 1; dx < cell; dx++ {
					img.Set(e*cell+dx, y*cell+dy, c)
				}
			}
		}
	}
	return png.Encode(w, img)
}

// heat maps 0..1 to a colour that grows evenly brighter, dark blue to yellow.
func heat(x float64) color.RGBA {
	stops := [][3]float64{{13, 8, 60}, {84, 2, 140}, {185, 50, 120}, {240, 125, 75}, {250, 220, 80}}
	x = min(max(x, 0), 1) * float64(len(stops)-1)
	i := min(int(x), len(stops)-2)
	f := x - math.Floor(x)
	if i == len(stops)-2 {
		f = x - float64(i)
	}
	mix := func(k int) uint8 { return uint8(stops[i][k]*(1-f) + stops[i+1][k]*f) }
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}

// page writes the heat map with numbers, and every token with its experts.
func page(w io.Writer, tr *trace) error {
	type row struct {
		Layer  int         `json:"layer"`
		Shares []float64   `json:"shares"`
		Chosen [][]int32   `json:"chosen"`
		Gates  [][]float64 `json:"gates"`
	}
	var rows []row
	for _, l := range tr.layers {
		s := tr.stats(l, all)
		r := row{Layer: l}
		for e := range tr.experts {
			r.Shares = append(r.Shares, math.Round(s.Share(e)*1e5)/1e5)
		}
		for _, c := range tr.choice[l] {
			var ids []int32
			var gates []float64
			for _, g := range c {
				ids, gates = append(ids, g.id), append(gates, math.Round(float64(g.weight)*1e3)/1e3)
			}
			r.Chosen, r.Gates = append(r.Chosen, ids), append(r.Gates, gates)
		}
		rows = append(rows, r)
	}
	data, err := json.Marshal(map[string]any{"tokens": tr.tokens, "experts": tr.experts, "layers": rows})
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, template.JS(data))
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Which experts</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222; background: #fafafa }
table { border-collapse: collapse } td { width: 22px; height: 22px; border: 1px solid #fafafa; padding: 0 }
th { font-weight: normal; color: #777; padding: 0 .6em 0 0; text-align: right }
#text { background: #fff; border: 1px solid #ddd; padding: 1em; white-space: pre-wrap; max-height: 24em; overflow: auto }
#text span:hover { outline: 2px solid #b13278 } #text span.on { outline: 2px solid #222 }
#note { min-height: 3em; color: #444 } .wide { overflow-x: auto } select { font: inherit }
</style>
<h1>Which experts</h1>
<p>A row for each layer with routing, a column for each expert; brighter: more of the text's tokens go there. Click a square to see the tokens that went to that expert, or a token to see its experts.</p>
<div class="wide"><table id="map"></table></div>
<p id="note"></p>
<p><label>Tokens coloured by their first expert in layer <select id="layer"></select></label></p>
<div id="text"></div>
<script>
const data = {{.}};
const stops = [[13,8,60],[84,2,140],[185,50,120],[240,125,75],[250,220,80]];
const heat = x => { x = Math.min(Math.max(x, 0), 1) * 4; const i = Math.min(Math.floor(x), 3), f = x - i;
  return "rgb(" + stops[i].map((c, k) => Math.round(c * (1 - f) + stops[i + 1][k] * f)).join(",") + ")"; };
const note = document.getElementById("note"), map = document.getElementById("map"), text = document.getElementById("text"), pick = document.getElementById("layer");
const say = s => { note.textContent = s; };
data.layers.forEach((l, y) => {
  const tr = map.insertRow(), th = document.createElement("th");
  th.textContent = "layer " + l.layer; tr.append(th);
  l.shares.forEach((s, e) => {
    const td = tr.insertCell();
    td.style.background = heat(s * data.experts / 2);
    td.title = "layer " + l.layer + ", expert " + e + ": " + (100 * s).toFixed(1) + " % of the choices (even: " + (100 / data.experts).toFixed(1) + " %)";
    td.onclick = () => { pick.value = y; colour(); mark(y, e); say(td.title); };
  });
  pick.add(new Option(l.layer, y));
});
const spans = data.tokens.map((t, i) => {
  const s = document.createElement("span");
  s.textContent = t;
  s.onmouseenter = s.onclick = () => say(JSON.stringify(t) + " went to " + data.layers.map(l => "layer " + l.layer + ": " + l.chosen[i].map((e, k) => e + " (" + l.gates[i][k] + ")").join(", ")).join(" · "));
  return s;
});
text.append(...spans);
const hue = e => "hsl(" + (e * 360 / data.experts).toFixed(0) + " 70% 88%)";
const colour = () => spans.forEach((s, i) => { s.className = ""; s.style.background = hue(data.layers[pick.value].chosen[i][0]); });
const mark = (y, e) => spans.forEach((s, i) => { s.className = data.layers[y].chosen[i].includes(e) ? "on" : ""; });
pick.onchange = colour;
colour();
</script>
</html>
`))
