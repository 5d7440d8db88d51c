import Testing

@testable import StatusServer

@Suite("Metrics in Prometheus' text format")
struct MetricsTextTests {
    @Test("A whole registry, byte for byte")
    func whole() throws {
        let registry = MetricsRegistry()
        let second = registry.counter("b_total", help: "Second.", labels: ["code": "2xx"])
        second.add(41)
        second.increment()
        registry.counter("b_total", help: "Second.", labels: ["code": "5xx"]).increment()
        registry.gauge("a_level", help: "First\nwith \\ in \"it\".").set(-3)
        registry.gauge("c_ratio", help: "Third.", reading: { 0.25 })
        #expect(
            registry.render() == """
                # HELP a_level First\\nwith \\\\ in "it".
                # TYPE a_level gauge
                a_level -3
                # HELP b_total Second.
                # TYPE b_total counter
                b_total{code="2xx"} 42
                b_total{code="5xx"} 1
                # HELP c_ratio Third.
                # TYPE c_ratio gauge
                c_ratio 0.25

                """
        )
    }

    @Test(
        "Label values of any kind come back as they were",
        arguments: ["", "\"", "\\", "\n", "a\"} 1\nb_total 2", "\\n", "é日本🚇", "\r\t\0", "\\\""]
    )
    func escaping(value: String) throws {
        let registry = MetricsRegistry()
        registry.counter("a_total", help: "A.", labels: ["host": value]).increment()
        let read = try Exposition(registry.render())
        #expect(read["a_total", ["host": value]] == 1)
        #expect(read.families.count == 1)
    }

    @Test(
        "Numbers as Prometheus reads them",
        arguments: [
            (0.0, "0"), (-0.5, "-0.5"), (1e15, "1000000000000000"), (1e300, "1e+300"),
            (1e-7, "1e-07"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ]
    )
    func numbers(value: Double, text: String) { #expect(MetricsText.number(value) == text) }

    @Test("A histogram is cumulative and in seconds; bounds are inclusive")
    func histogram() throws {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("wait_seconds", help: "Waits.", labels: ["a": "b"])
        for nanoseconds: Int64 in [-5, 0, 1_000_000, 1_000_001, 60_000_000_000, 61_000_000_000] {
            histogram.observe(nanoseconds: nanoseconds)
        }
        let read = try Exposition(registry.render())
        #expect(read["wait_seconds_bucket", ["a": "b", "le": "0.001"]] == 3)
        #expect(read["wait_seconds_bucket", ["a": "b", "le": "0.0025"]] == 4)
        #expect(read["wait_seconds_bucket", ["a": "b", "le": "60"]] == 5)
        #expect(read["wait_seconds_bucket", ["a": "b", "le": "+Inf"]] == 6)
        #expect(read["wait_seconds_count", ["a": "b"]] == 6)
        #expect(read["wait_seconds_sum", ["a": "b"]] == 121.002000001)
    }

    @Test("The bounds' texts say what the bounds are")
    func bounds() {
        let texts = DurationHistogram.boundTexts
        #expect(texts.count == DurationHistogram.boundsNanoseconds.count + 1)
        for (text, bound) in zip(texts, DurationHistogram.boundsNanoseconds) {
            #expect(Double(text) == Double(bound) / 1e9)
        }
    }

    @Test("A series registered twice is one; a family without series is not shown")
    func registration() throws {
        let registry = MetricsRegistry()
        let one = registry.counter("a_total", help: "A.", labels: ["x": "1"])
        #expect(one === registry.counter("a_total", help: "A.", labels: ["x": "1"]))
        #expect(one !== registry.counter("a_total", help: "A.", labels: ["x": "2"]))
        registry.gauges("none", help: "None.", readings: { [] })
        #expect(!registry.render().contains("none"))
        registry.gauges("none", help: "None.", readings: { [MetricSample(["x": "1"], 2)] })
        #expect(try Exposition(registry.render())["none", ["x": "1"]] == 2)
    }

    @Test("A reading may register a series without a deadlock")
    func reentrance() throws {
        let registry = MetricsRegistry()
        registry.gauge("outer", help: "O.") {
            registry.counter("inner_total", help: "I.").increment()
            return 1
        }
        _ = registry.render()
        #expect(try Exposition(registry.render())["inner_total"] == 1)
    }

    @Test(
        "The parser of these tests is strict",
        arguments: [
            "a 1\n", "# HELP a A.\n# TYPE a gauge\na 1", "# HELP a A.\n# TYPE a gauge\na 1\na 1\n",
            "# HELP a A.\n# TYPE a counter\na 1\n", "# HELP a A.\n# TYPE a gauge\nb 1\n",
            "# HELP a A.\n# TYPE a gauge\na{x=\"\\q\"} 1\n", "# HELP a A.\n# TYPE a gauge\na inf\n",
            "# HELP a A.\n# TYPE a gauge\n", "# HELP a A.\n# TYPE a gauge\na{x=\"1\"}1\n",
            "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n",
        ]
    )
    func parser(text: String) {
        #expect(throws: Exposition.Malformed.self) { try Exposition(text) }
    }
}
