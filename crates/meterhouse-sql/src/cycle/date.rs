//! Days on the calendar.

/// A day on the calendar, in no particular time zone: days since 1970-01-01, as in a `date` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDate(i32);

impl LocalDate {
    /// The date so many days after 1970-01-01.
    pub fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        self.0
    }

    /// The date of this year, month (1 to 12) and day of the month, if there is one.
    pub fn new(year: i16, month: u8, day: u8) -> Option<Self> {
        let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then(|| i32::try_from(days_of(year, month, day)).ok().map(Self)).flatten()
    }

    /// Year, month (1 to 12) and day of the month. From H. Hinnant, "chrono-compatible low-level date algorithms",
    /// `civil_from_days`: years begin in March, so that the leap day is the last.
    pub fn year_month_day(self) -> (i64, i64, i64) {
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }
}

/// Days since 1970-01-01 of an existing date; `days_from_civil` of the same source.
pub(super) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn dates_agree_with_jiff() {
        let mut day = civil::date(-10, 1, 1);
        let mut days = i32::try_from(days_of(-10, 1, 1)).unwrap();
        while day.year() < 2801 {
            let (year, month, of_month) =
                (i64::from(day.year()), i64::from(day.month()), i64::from(day.day()));
            assert_eq!(LocalDate(days).year_month_day(), (year, month, of_month));
            assert_eq!(days_of(year, month, of_month), i64::from(days));
            assert_eq!(days_in_month(year, month), i64::from(day.days_in_month()));
            day = day.tomorrow().unwrap();
            days += 1;
        }
        assert_eq!(LocalDate::new(2023, 2, 29), None);
        assert_eq!(LocalDate::new(1970, 1, 5).map(LocalDate::days), Some(4));
    }
}
