/// The known name that `word` most likely is meant to be, or nil when none is near.
///
/// Case and `-`/`_` count for nothing; a third of the letters may differ.
func nearest(to word: String, among names: [String]) -> String? {
    func folded(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "-" && $0 != "_" }
    }
    let letters = folded(String(word.prefix(64)))
    let limit = max(1, letters.count / 3)
    let ranked = names.map { (name: $0, distance: editDistance(letters, folded($0))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= limit ? best.name : nil
}

/// How many letters have to be inserted, removed, replaced or swapped with the next one.
private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (row, letter) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(last[column + 1], current[column]) + 1
            cost = min(cost, last[column] + (letter == other ? 0 : 1))
            if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
