//! The chart of fork() against memory size, both axes logarithmic.

use crate::figures::Figures;
use crate::linux::Linux;
use anyhow::{Result, anyhow, ensure};
use plotters::prelude::*;
use std::path::Path;

/// What is drawn of one kernel.
pub struct Curve {
    /// Whose it is.
    pub name: String,
    /// How many, and what a call costs beside them.
    pub points: Vec<(f64, f64)>,
    /// Of its line.
    pub color: RGBColor,
}

/// How many, and times, of the rows `STEM/COUNT`. None at all has no place on a logarithmic axis: it is left out.
fn points(stem: &str, figures: &Figures) -> Vec<(f64, f64)> {
    let count = |row: &str| row.strip_prefix(stem)?.strip_prefix('/')?.parse::<f64>().ok();
    let point = |row: &str, median: f64| Some((count(row)?, median));
    let all = figures
        .all
        .iter()
        .filter_map(|figure| point(&figure.row, figure.median));
    all.filter(|&(count, time)| count > 0.0 && time > 0.0).collect()
}

/// The curves of the kernels that have such rows.
pub fn curves_of(stem: &str, ours: &Figures, linux: &Linux) -> Vec<Curve> {
    let kernels = [
        ("Holstein".to_owned(), ours, RGBColor(0, 90, 181)),
        (
            linux.small.kernel.clone() + ", 4 KiB pages",
            &linux.small,
            RGBColor(220, 50, 32),
        ),
        (
            linux.huge.kernel.clone() + ", huge pages",
            &linux.huge,
            RGBColor(230, 159, 0),
        ),
    ];
    let curve = |(name, figures, color)| Curve {
        name,
        points: points(stem, figures),
        color,
    };
    let curves = kernels.into_iter().map(curve);
    curves.filter(|curve| !curve.points.is_empty()).collect()
}

/// Draws ours and Linux's curve to an SVG file.
pub fn draw(path: &Path, ours: &Figures, linux: &Linux) -> Result<()> {
    let curves = curves_of("fork", ours, linux);
    let all: Vec<(f64, f64)> = curves.iter().flat_map(|curve| curve.points.clone()).collect();
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
    for Curve { name, points, color } in curves {
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
        assert_eq!(points("fork", &figures), [(16.0, 5.0)]);
    }
}
