//! The chart of `make redis`: how long Redis stands still, on each kernel, on a logarithmic axis.

use anyhow::{Context, Result, anyhow, ensure};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fs;
use std::path::Path;

/// The kernels: the file of their results, what they are called, the colour of their bars.
const KERNELS: [(&str, &str, RGBColor); 3] = [
    ("holstein", "Holstein", RGBColor(0, 90, 181)),
    ("linux-4k", "Linux 6.12, 4 KiB pages", RGBColor(220, 50, 32)),
    ("linux-huge", "Linux 6.12, huge pages", RGBColor(230, 159, 0)),
];

/// What is drawn: the key of a result, how many microseconds its unit is, what it is called.
const GROUPS: [(&str, f64, &str); 4] = [
    ("fork", 1.0, "BGSAVE: fork, longest of 3"),
    ("longest", 1000.0, "longest delay of a SET"),
    ("aof-fork", 1.0, "BGREWRITEAOF: fork"),
    ("aof-longest", 1000.0, "longest delay of a SET"),
];

/// The largest result of that key: lines `KEY NUMBER`.
fn largest(text: &str, key: &str) -> Option<f64> {
    let number = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.parse::<f64>().ok();
    text.lines().filter_map(number).reduce(f64::max)
}

/// What a bar says of itself.
fn label(micros: f64) -> String {
    if micros < 1000.0 {
        format!("{micros:.0} µs")
    } else {
        format!("{:.1} ms", micros / 1000.0)
    }
}

/// Draws what `make redis` left in `folder`.
pub fn draw(folder: &Path, path: &Path) -> Result<()> {
    let failed = |error| anyhow!("{}: {error}", path.display());
    let area = SVGBackend::new(path, (860, 420)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let wide = (KERNELS.len() + 1) as f64;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Redis with 512 MiB of data saves itself while clients write",
            ("sans-serif", 20),
        )
        .margin(16)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..wide * GROUPS.len() as f64, (10.0..300_000.0_f64).log_scale())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_desc("microseconds of the guest")
        .y_label_formatter(&|time| crate::table::number(*time))
        .light_line_style(RGBColor(235, 235, 235))
        .draw()
        .map_err(failed)?;
    let style = ("sans-serif", 13).into_font();
    let centred = |name| style.clone().color(&BLACK).pos(Pos::new(HPos::Center, name));
    for (number, (file, name, color)) in KERNELS.into_iter().enumerate() {
        let results = folder.join(file);
        let text = fs::read_to_string(&results).with_context(|| results.display().to_string())?;
        let mut bars = Vec::new();
        for (group, (key, unit, _)) in GROUPS.into_iter().enumerate() {
            let value = largest(&text, key).map(|value| value * unit);
            // What was not measured has no bar.
            let Some(value) = value else { continue };
            ensure!(value > 0.0, "{}: {key} is nothing", results.display());
            bars.push((group as f64 * wide + number as f64 + 0.5, value));
        }
        let rectangle =
            |(left, value): (f64, f64)| Rectangle::new([(left, 10.0), (left + 0.9, value)], color.filled());
        chart
            .draw_series(bars.iter().copied().map(rectangle))
            .map_err(failed)?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()));
        let said = |(left, value): (f64, f64)| {
            Text::new(label(value), (left + 0.45, value * 1.1), centred(VPos::Bottom))
        };
        chart.draw_series(bars.into_iter().map(said)).map_err(failed)?;
    }
    let titles = GROUPS.into_iter().enumerate().map(|(group, (.., title))| {
        let middle = (group as f64 + 0.5) * wide;
        Text::new(title, (middle, 9.4), centred(VPos::Top))
    });
    chart.draw_series(titles).map_err(failed)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
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
    fn a_result_is_of_its_key_alone() {
        let text = "fork 84\nfork 71\naof-fork 9000\nforks 3\n";
        assert_eq!(largest(text, "fork"), Some(84.0));
        assert_eq!(largest(text, "longest"), None);
    }

    #[test]
    fn a_bar_says_its_unit() {
        assert_eq!(label(84.0), "84 µs");
        assert_eq!(label(31_831.0), "31.8 ms");
    }
}
