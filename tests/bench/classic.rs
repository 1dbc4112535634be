//! All that a fork costs, against a fork that copies all tables at once (`fork=classic`), made of the same parts: what is put
//! off may cost a little more in the end, and must make the parent stand still far less.

use crate::figures::Figures;
use crate::table::number;
use std::fmt::Write;

/// How much more all the work may be.
const ALLOWED: f64 = 1.05;

/// The sizes, in MiB, that both have.
fn sizes(ours: &Figures, classic: &Figures) -> Vec<u32> {
    let rows = ours
        .all
        .iter()
        .filter(|figure| classic.get(&figure.row).is_some());
    rows.filter_map(|figure| figure.row.strip_prefix("work/")?.parse().ok())
        .collect()
}

/// How many times the work of a classic fork ours is.
fn ratio(ours: &Figures, classic: &Figures, row: &str) -> f64 {
    match (ours.median(row), classic.median(row)) {
        (Some(ours), Some(classic)) => ours / classic,
        _ => f64::NAN,
    }
}

/// The sizes at which all the work is more than is allowed.
pub fn missed(ours: &Figures, classic: &Figures) -> Vec<String> {
    let ratios = sizes(ours, classic)
        .into_iter()
        .map(|size| (size, ratio(ours, classic, &format!("work/{size}"))));
    let misses = ratios.filter(|(_, ratio)| *ratio > ALLOWED);
    misses
        .map(|(size, ratio)| format!("work/{size}: {ratio:.2} times that of a classic fork"))
        .collect()
}

/// Both kinds of fork side by side.
pub fn render(ours: &Figures, classic: &Figures) -> String {
    let mut text = format!(
        "{:<24}{:>14}{:>14}{:>8}\n",
        "all the work of a fork", "Holstein", "fork=classic", "ratio"
    );
    for size in sizes(ours, classic) {
        for what in ["", "_child", "_parent", "_stall", "_whole"] {
            let row = format!("work{what}/{size}");
            let median = |figures: &Figures| figures.median(&row).map_or("-".to_owned(), number);
            let ratio = ratio(ours, classic, &row);
            writeln!(
                text,
                "{row:<24}{:>14}{:>14}{ratio:>8.2}",
                median(ours),
                median(classic)
            )
            .expect("writing to a string");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_than_allowed_is_named() {
        let ours =
            Figures::parse("work/16\tns\t100\t0\t0\t1\t\nwork/256\tns\t106\t0\t0\t1\t\n").expect("figures");
        let classic =
            Figures::parse("work/16\tns\t100\t0\t0\t1\t\nwork/256\tns\t100\t0\t0\t1\t\n").expect("figures");
        assert_eq!(
            missed(&ours, &classic),
            ["work/256: 1.06 times that of a classic fork"]
        );
        assert!(
            render(&ours, &classic)
                .lines()
                .any(|line| line.starts_with("work/256") && line.ends_with("1.06"))
        );
    }
}
