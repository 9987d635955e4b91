import Glibc

extension CronSchedule {
    /// 29 February comes every fourth year, but not in 2100.
    private static let longestWait = 8 * 366 + 1

    /// The first time after another at which the schedule falls due, in the system's time zone;
    /// nil when it never does.
    ///
    /// A time that is skipped when clocks go forward falls due as much later; one that comes
    /// twice when they go back falls due once, unless the schedule is for every hour.
    ///
    /// - Parameter time: in seconds since 1970.
    public func next(after time: Int64) -> Int64? {
        tzset()
        let today = Self.local(time)
        for offset in 0...Self.longestWait {
            // Noon exists on every day.
            var noon = tm()
            noon.tm_year = today.tm_year
            noon.tm_mon = today.tm_mon
            noon.tm_mday = today.tm_mday + CInt(offset)
            noon.tm_hour = 12
            noon.tm_isdst = -1
            _ = mktime(&noon)
            guard
                includes(
                    month: Int(noon.tm_mon) + 1, day: Int(noon.tm_mday),
                    weekday: Int(noon.tm_wday))
            else { continue }
            if let first = times(on: noon).filter({ $0 > time }).min() { return first }
        }
        return nil
    }

    /// The times on a day at which the schedule falls due, in no order.
    private func times(on day: tm) -> [Int64] {
        hours.values(.hour).flatMap { hour in
            minutes.values(.minute).flatMap { minute in
                times(on: day, hour: hour, minute: minute)
            }
        }
    }

    /// One, or two where that time comes twice.
    private func times(on day: tm, hour: Int, minute: Int) -> [Int64] {
        func time(isSummer: CInt) -> Int64 {
            var wanted = tm()
            (wanted.tm_year, wanted.tm_mon, wanted.tm_mday) = (day.tm_year, day.tm_mon, day.tm_mday)
            (wanted.tm_hour, wanted.tm_min) = (CInt(hour), CInt(minute))
            wanted.tm_isdst = isSummer
            return Int64(mktime(&wanted))
        }
        let winter = time(isSummer: 0)
        let existing = [time(isSummer: 1), winter].filter { time in
            let local = Self.local(time)
            return local.tm_mday == day.tm_mday && local.tm_hour == hour && local.tm_min == minute
        }
        guard let first = existing.min() else { return [winter] }
        return hours.isStar ? existing : [first]
    }

    private static func local(_ time: Int64) -> tm {
        var seconds = time_t(time)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return parts
    }
}
