//! The chart of fork() against memory size, both axes logarithmic.

use crate::figures::Figures;
use anyhow::{Result, anyhow, ensure};
use plotters::prelude::*;
use std::path::Path;

/// Sizes in MiB and times, of the row `fork`. No memory at all has no place on a logarithmic axis: it is left out.
fn points(figures: &Figures) -> Vec<(f64, f64)> {
    let point = |row: &str, median: f64| Some((row.strip_prefix("fork/")?.parse::<f64>().ok()?, median));
    let all = figures
        .all
        .iter()
        .filter_map(|figure| point(&figure.row, figure.median));
    all.filter(|&(size, time)| size > 0.0 && time > 0.0).collect()
}

/// Draws ours and Linux's curve to an SVG file.
pub fn draw(path: &Path, ours: &Figures, linux: &Figures) -> Result<()> {
    let curves = [
        ("Holstein".to_owned(), points(ours), RGBColor(0, 90, 181)),
        (linux.kernel.clone(), points(linux), RGBColor(220, 50, 32)),
    ];
    let all: Vec<(f64, f64)> = curves.iter().flat_map(|(_, points, _)| points.clone()).collect();
    ensure!(!all.is_empty(), "no row fork/SIZE was measured");
    let largest = all.iter().fold(1.0, |most: f64, point| most.max(point.0));
    let slowest = all.iter().fold(10_000.0, |most: f64, point| most.max(point.1));
    let area = SVGBackend::new(path, (860, 480)).into_drawing_area();
    let failed = |error| anyhow!("{}: {error}", path.display());
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "fork() of a parent that has touched so much memory",
            ("sans-serif", 20),
        )
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(96)
        .build_cartesian_2d(
            (1.0..largest * 1.3).log_scale().base(4.0),
            (1000.0..slowest * 3.0).log_scale(),
        )
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc("MiB touched")
        .y_desc("guest instructions")
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|time| crate::table::number(*time))
        .light_line_style(RGBColor(235, 235, 235))
        .draw()
        .map_err(failed)?;
    for (name, points, color) in curves.into_iter().filter(|(_, points, _)| !points.is_empty()) {
        let marks = points.clone().into_iter();
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))
            .map_err(failed)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        let dots = marks.map(|point| Circle::new(point, 4, color.filled()));
        chart.draw_series(dots).map_err(failed)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_those_of_fork_alone() {
        let text =
            "fork/0\tns\t1\t1\t1\t1\t\nfork/16\tns\t5\t1\t1\t1\t\nfork_exit_wait/16\tns\t9\t1\t1\t1\t\n";
        let figures = Figures::parse(text).expect("figures");
        assert_eq!(points(&figures), [(16.0, 5.0)]);
    }
}
