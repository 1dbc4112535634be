//! The chart of the curves: what calls cost beside more and more of something, all axes logarithmic.

use crate::chart::{Curve, curves_of};
use crate::figures::Figures;
use crate::linux::Linux;
use crate::table::number;
use anyhow::{Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// One of the small charts.
struct Panel {
    title: &'static str,
    /// What the rows' names begin with, up to the slash.
    stem: &'static str,
    /// What there is more and more of.
    crowd: &'static str,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "mmap and munmap of a page",
        stem: "areas_map",
        crowd: "areas",
    },
    Panel {
        title: "a child's first mmap",
        stem: "areas_child_map",
        crowd: "areas",
    },
    Panel {
        title: "fork, exit, wait",
        stem: "descriptors_life",
        crowd: "descriptors",
    },
    Panel {
        title: "fork, exit, wait",
        stem: "processes_fork",
        crowd: "processes",
    },
    Panel {
        title: "stat of one name",
        stem: "directory_stat",
        crowd: "directory entries",
    },
    Panel {
        title: "fork",
        stem: "fork",
        crowd: "MiB touched",
    },
];

const SIZE: (u32, u32) = (1080, 720);
const COLUMNS: usize = 3;
/// Height of the line that says whose curves they are.
const NAMES: u32 = 44;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// Draws the curves of ours and Linux's to an SVG file.
pub fn draw(path: &Path, ours: &Figures, linux: &Linux) -> Result<()> {
    let panels: Vec<(&Panel, Vec<Curve>)> = PANELS
        .iter()
        .map(|panel| (panel, curves_of(panel.stem, ours, linux)))
        .collect();
    ensure!(
        panels.iter().all(|(_, curves)| !curves.is_empty()),
        "a curve was not measured"
    );
    let failed = |error: Failure| anyhow!("{}: {error}", path.display());
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let (names, charts) = area.split_vertically(NAMES);
    draw_names(&names, &panels[0].1).map_err(failed)?;
    let places = charts.split_evenly((PANELS.len() / COLUMNS, COLUMNS));
    for (place, (panel, curves)) in places.iter().zip(&panels) {
        draw_panel(place, panel, curves).map_err(failed)?;
    }
    area.present().map_err(failed)
}

/// Whose curve is which.
fn draw_names<'a>(area: &Area<'a>, curves: &[Curve]) -> Result<(), Failure<'a>> {
    const WIDTH: i32 = 330;
    for (curve, left) in curves.iter().zip((0..).map(|nth| 40 + nth * WIDTH)) {
        let line = [(left, 24), (left + 28, 24)];
        area.draw(&PathElement::new(line, curve.color.stroke_width(3)))?;
        area.draw(&Text::new(
            curve.name.clone(),
            (left + 36, 16),
            ("sans-serif", 16),
        ))?;
    }
    Ok(())
}

fn draw_panel<'a>(area: &Area<'a>, panel: &Panel, curves: &[Curve]) -> Result<(), Failure<'a>> {
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(1.0, f64::max);
    let least = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::MAX, f64::min);
    let crowds = least(|point| point.0) / 1.3..most(|point| point.0) * 1.3;
    let times = least(|point| point.1) / 3.0..most(|point| point.1) * 3.0;
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 17))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(84)
        .build_cartesian_2d(crowds.log_scale(), times.log_scale())?;
    chart
        .configure_mesh()
        .x_desc(panel.crowd)
        .y_desc("guest instructions")
        .x_label_formatter(&|crowd| number(*crowd))
        .y_label_formatter(&|time| number(*time))
        .light_line_style(RGBColor(240, 240, 240))
        .draw()?;
    for curve in curves {
        let line = curve.points.iter().copied();
        chart.draw_series(LineSeries::new(line.clone(), curve.color.stroke_width(2)))?;
        chart.draw_series(line.map(|point| Circle::new(point, 3, curve.color.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_that_is_missing_is_an_error() {
        let text = "fork/16\tns\t5\t1\t1\t1\t\n";
        let figures = Figures::parse(text).expect("figures");
        let path = std::env::temp_dir().join("holstein-no-curves.svg");
        assert!(draw(&path, &figures, &Linux::default()).is_err());
    }
}
