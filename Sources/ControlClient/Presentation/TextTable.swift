import ConfigurationFile

/// Lines of cells, in columns that are as wide as they have to be.
///
/// Control characters in cells are written out: what an account is called is no command to a terminal.
package struct TextTable: Sendable {
    private var rows: [[String]]

    /// A table of these columns, without rows.
    package init(_ titles: [String]) { self.rows = [titles] }

    /// Adds a row; cells that it lacks are empty, those too many are left out.
    package mutating func add(_ cells: [String]) {
        let count = self.rows[0].count
        let cells = cells.prefix(count).map(printable)
        self.rows.append(cells + Array(repeating: "", count: count - cells.count))
    }

    /// The table, titles first; no spaces at the ends of its lines, and no newline at its own.
    package var text: String {
        let widths = self.rows[0].indices.map { column in
            self.rows.map { $0[column].count }.max() ?? 0
        }
        return self.rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

/// Names and values, a line each, the values below each other; a value of several lines goes on below
/// itself.
package struct TextList: Sendable {
    private var lines: [(name: String, values: [String])] = []

    /// An empty list.
    package init() {}

    /// Adds a line; without values there is none.
    package mutating func add(_ name: String, _ values: String...) { self.add(name, values) }

    /// The same for values that are in a list already.
    package mutating func add(_ name: String, _ values: [String]) {
        guard !values.isEmpty else { return }
        self.lines.append(("\(name):", values.map(printable)))
    }

    /// The list, without a newline at its end.
    package var text: String {
        let width = self.lines.map(\.name.count).max() ?? 0
        return self.lines.flatMap { name, values in
            values.enumerated().map { index, value in
                let name = index == 0 ? name : ""
                return name + String(repeating: " ", count: width + 2 - name.count) + value
            }
        }.joined(separator: "\n")
    }
}
