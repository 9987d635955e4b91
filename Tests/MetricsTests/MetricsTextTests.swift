import Testing

@testable import Metrics

@Suite("Text of metrics")
struct MetricsTextTests {
    @Test("Each has its help, its type and its samples")
    func samples() {
        var metrics = MetricsText(prefix: "x_")
        metrics.add(.gauge, "up", "Whether it is.", .init(true))
        metrics.add(.gauge, "seconds", "How long.", .init(1.5))
        metrics.add(
            .counter, "calls_total", "Calls.",
            [.init(3, ["method": "a", "code": "ok"]), .init(Int64.max, ["method": "b"])])
        metrics.add(.gauge, "nothing", "Left out.", [])
        #expect(
            metrics.text == """
                # HELP x_up Whether it is.
                # TYPE x_up gauge
                x_up 1
                # HELP x_seconds How long.
                # TYPE x_seconds gauge
                x_seconds 1.5
                # HELP x_calls_total Calls.
                # TYPE x_calls_total counter
                x_calls_total{method="a",code="ok"} 3
                x_calls_total{method="b"} 9223372036854775807

                """)
    }

    @Test("What would end a label or a line is escaped")
    func escapes() {
        var metrics = MetricsText(prefix: "")
        metrics.add(.gauge, "a", "\"back\\slash\"\nline", .init(0, ["l": "\"q\" \\ \r\n\u{e9}"]))
        #expect(
            metrics.text == """
                # HELP a "back\\\\slash"\\nline
                # TYPE a gauge
                a{l="\\"q\\" \\\\ \r\\n\u{e9}"} 0

                """)
    }
}
