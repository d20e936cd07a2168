package main

import (
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// drawPlot draws speed and hit rate over the budget.
func drawPlot(path string, rows []result) error {
	speed, hits := plot.New(), plot.New()
	speed.Title.Text = "Experts within a budget"
	speed.Y.Label.Text = "decode, tokens/s"
	hits.X.Label.Text = "budget, % of the experts"
	hits.Y.Label.Text = "hit rate, %"
	speed.Y.Min, hits.Y.Min, hits.Y.Max = 0, 0, 100
	var xy, rate plotter.XYs
	for _, r := range rows {
		if r.Part > 0 {
			xy = append(xy, plotter.XY{X: 100 * r.Part, Y: r.Decode})
			rate = append(rate, plotter.XY{X: 100 * r.Part, Y: 100 * r.HitRate})
		}
	}
	none, err := plotter.NewLine(plotter.XYs{{X: 0, Y: rows[0].Decode}, {X: 100, Y: rows[0].Decode}})
	if err != nil {
		return err
	}
	none.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	speed.Add(plotter.NewGrid(), none)
	speed.Legend.Add("mapped, no budget", none)
	speed.Legend.Top, speed.Legend.Left = false, false
	hits.Add(plotter.NewGrid())
	for p, data := range map[*plot.Plot]plotter.XYs{speed: xy, hits: rate} {
		line, points, err := plotter.NewLinePoints(data)
		if err != nil {
			return err
		}
		p.X.Min, p.X.Max = 0, 100
		p.Add(line, points)
	}

	c := vgimg.New(6*vg.Inch, 6*vg.Inch)
	both := [][]*plot.Plot{{speed}, {hits}}
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Points(10), PadX: vg.Points(5), PadTop: vg.Points(5), PadBottom: vg.Points(5), PadLeft: vg.Points(5), PadRight: vg.Points(10)}
	for i, row := range plot.Align(both, tiles, draw.New(c)) {
		both[i][0].Draw(row[0])
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
