//! Writes `point`, `line`, `lseg`, `box`, `path`, `polygon` and `circle`.

use super::{EncodeError, Write, Writer};
use crate::value::{Circle, Line, LineSegment, Path, Point, Polygon, Rectangle};

impl Write for Point {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.x.write(writer)?;
        self.y.write(writer)
    }
}

impl Write for Line {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.a.write(writer)?;
        self.b.write(writer)?;
        self.c.write(writer)
    }
}

impl Write for LineSegment {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.start.write(writer)?;
        self.end.write(writer)
    }
}

impl Write for Rectangle {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.upper_right.write(writer)?;
        self.lower_left.write(writer)
    }
}

impl Write for Circle {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.center.write(writer)?;
        self.radius.write(writer)
    }
}

impl Write for Path<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.is_closed().into());
        write_points(writer, self.points())
    }
}

impl Write for Polygon<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_points(writer, self.points())
    }
}

fn write_points(
    writer: &mut Writer<'_>,
    mut points: impl Iterator<Item = Point> + Clone,
) -> Result<(), EncodeError> {
    writer.length("point count", points.clone().count())?;
    points.try_for_each(|point| point.write(writer))
}
