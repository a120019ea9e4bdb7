//! A plot as SVG: two axes and lines. Colours come from the page's style, so that light, dark and
//! paper each have theirs; dashes tell the lines apart without colour. It never computes a figure.

use std::fmt::Write;

use super::axis::Axis;
use super::escaped;

/// The drawing's size in its own units, which are about a pixel on a desktop: the page scales it,
/// text and all, so a plot of half the width is drawn smaller, not shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Full,
    Half,
}

impl Size {
    const fn width(self) -> f64 {
        match self {
            Self::Full => 860.0,
            Self::Half => 520.0,
        }
    }

    const fn height(self) -> f64 {
        match self {
            Self::Full => 330.0,
            Self::Half => 260.0,
        }
    }
}

/// Room for the texts around the drawing.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 50.0;

/// How points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    Line,
    /// A count stays until the next event.
    Steps,
}

#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

pub struct Plot<'a> {
    /// Unique on the page.
    pub id: &'a str,
    pub title: &'a str,
    pub size: Size,
    /// What a person would say who sees it.
    pub description: String,
    pub x: Axis,
    pub y: Axis,
    pub join: Join,
    pub series: Vec<Series>,
    /// A height that matters, with its name: all machines.
    pub mark: Option<(f64, String)>,
    /// The table behind it.
    pub table: String,
}

impl Plot<'_> {
    /// The figure: title, legend, drawing, table.
    pub fn html(&self) -> String {
        format!(
            "<figure>\n<figcaption><h2 id=\"{id}\">{title}</h2>\n<p>{description}</p></figcaption>\n{legend}\
             <div class=\"plot\">\n{svg}</div>\n<details><summary>Figures</summary>\n\
             <div class=\"scroll\">{table}</div></details>\n</figure>\n",
            id = self.id,
            title = escaped(self.title),
            description = escaped(&self.description),
            legend = self.legend(),
            svg = self.svg(),
            table = self.table,
        )
    }

    /// One line needs no legend: the title names it.
    fn legend(&self) -> String {
        if self.series.len() < 2 {
            return String::new();
        }
        let items: String = self
            .series
            .iter()
            .enumerate()
            .map(|(number, series)| {
                format!(
                    "<li><svg class=\"key\" viewBox=\"0 0 28 8\" aria-hidden=\"true\">\
                     <line class=\"line s{}\" x1=\"1\" y1=\"4\" x2=\"27\" y2=\"4\"/></svg>{}</li>",
                    colour(number),
                    escaped(&series.name)
                )
            })
            .collect();
        format!("<ul class=\"legend\">{items}</ul>\n")
    }

    fn svg(&self) -> String {
        let mut out = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
            self.size.width(),
            self.size.height(),
            escaped(self.title),
            escaped(&self.description),
            id = self.id,
        );
        self.grid(&mut out);
        let right = self.right();
        if let Some((height, name)) = &self.mark {
            let y = self.y_at(*height);
            let _ = writeln!(
                out,
                "<line class=\"mark\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"note\" x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                y - 5.0,
                escaped(name)
            );
        }
        for (number, series) in self.series.iter().enumerate() {
            let _ = writeln!(
                out,
                "<path class=\"line s{}\" d=\"{}\"/>",
                colour(number),
                self.path(series)
            );
        }
        out + "</svg>\n"
    }

    fn grid(&self, out: &mut String) {
        let (right, bottom) = (self.right(), self.bottom());
        for (value, text) in &self.y.marks {
            let y = self.y_at(*value);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escaped(text)
            );
        }
        for (value, text) in &self.x.marks {
            let x = self.x_at(*value);
            let _ = writeln!(
                out,
                "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 5.0,
                bottom + 20.0,
                escaped(text)
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>\
             <text class=\"title\" x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            bottom + 40.0,
            escaped(self.x.title)
        );
    }

    fn path(&self, series: &Series) -> String {
        let mut out = String::new();
        let mut last = (f64::NAN, f64::NAN);
        for (x, y) in &series.points {
            let point = (self.x_at(*x), self.y_at(*y));
            // Points that fall on the same spot need no ink.
            if (point.0 - last.0).abs() < 0.3 && (point.1 - last.1).abs() < 0.3 {
                continue;
            }
            let _ = match (out.is_empty(), self.join) {
                (true, _) => write!(out, "M{:.1} {:.1}", point.0, point.1),
                (false, Join::Line) => write!(out, "L{:.1} {:.1}", point.0, point.1),
                (false, Join::Steps) => write!(out, "H{:.1}V{:.1}", point.0, point.1),
            };
            last = point;
        }
        out
    }

    fn x_at(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.right() - LEFT)
    }

    fn y_at(&self, value: f64) -> f64 {
        self.bottom() - self.y.place(value) * (self.bottom() - TOP)
    }

    const fn right(&self) -> f64 {
        self.size.width() - RIGHT
    }

    const fn bottom(&self) -> f64 {
        self.size.height() - BOTTOM
    }
}

/// Eight lines can be told apart; more begin anew.
const fn colour(number: usize) -> usize {
    number % 8
}
