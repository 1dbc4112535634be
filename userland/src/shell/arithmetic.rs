//! `$((expression))`: integers of 64 bits, the operators of C but for `++`, `--` and `,`. POSIX 2.6.4.

use alloc::string::{String, ToString};

/// Where names get their values.
pub trait Variables {
    /// The value of a variable, if it is set.
    fn get(&self, name: &str) -> Option<String>;
    /// Gives a variable a value.
    fn set(&mut self, name: &str, value: String);
}

/// Binary operators by binding strength, longer ones before their beginnings.
const BINARY: [(&str, u8); 18] = [
    ("||", 1),
    ("&&", 2),
    ("==", 6),
    ("!=", 6),
    ("<<", 8),
    (">>", 8),
    ("<=", 7),
    (">=", 7),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("%", 10),
];

/// How deep parentheses and unary operators may nest.
const DEPTH: usize = 64;

type Evaluated = Result<i64, String>;

/// The value of the expression, or what is wrong with it. An empty expression is 0.
pub fn evaluate(text: &str, variables: &mut dyn Variables) -> Evaluated {
    let mut expression = Expression {
        rest: text.trim_start(),
        variables,
        depth: 0,
        is_live: true,
    };
    if expression.rest.is_empty() {
        return Ok(0);
    }
    let value = expression.assignment()?;
    if expression.rest.is_empty() {
        Ok(value)
    } else {
        Err(alloc::format!("unexpected `{}'", expression.rest.trim()))
    }
}

struct Expression<'a> {
    rest: &'a str,
    variables: &'a mut dyn Variables,
    depth: usize,
    /// False in the branch that `&&`, `||`, `?:` do not take: it is read, and nothing is assigned or divided.
    is_live: bool,
}

impl<'a> Expression<'a> {
    fn accept(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.rest = rest.trim_start();
        true
    }

    fn name(&mut self) -> Option<&'a str> {
        let length = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        super::parser::is_name(name).then(|| {
            self.rest = rest.trim_start();
            name
        })
    }

    /// `name = value`, `name += value`, ... or a conditional expression.
    fn assignment(&mut self) -> Evaluated {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".to_string());
        }
        let start = self.rest;
        let value = match self
            .name()
            .and_then(|name| self.assignment_operator().map(|operator| (name, operator)))
        {
            Some((name, operator)) => {
                let mut value = self.assignment()?;
                if !operator.is_empty() {
                    value = self.apply(operator, self.variable(name)?, value)?;
                }
                if self.is_live {
                    self.variables.set(name, value.to_string());
                }
                value
            }
            None => {
                self.rest = start;
                self.conditional()?
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn assignment_operator(&mut self) -> Option<&'static str> {
        if self.rest.starts_with("==") {
            return None;
        }
        let operators = ["", "<<", ">>", "+", "-", "*", "/", "%", "&", "|", "^"];
        operators.into_iter().find(|operator| {
            self.rest
                .strip_prefix(operator)
                .is_some_and(|rest| rest.starts_with('='))
                && self.accept(&(operator.to_string() + "="))
        })
    }

    fn conditional(&mut self) -> Evaluated {
        let condition = self.binary(0)?;
        if !self.accept("?") {
            return Ok(condition);
        }
        let yes = self.branch(condition != 0, Self::assignment)?;
        if !self.accept(":") {
            return Err("missing `:' after `?'".to_string());
        }
        let no = self.branch(condition == 0, Self::assignment)?;
        Ok(if condition != 0 { yes } else { no })
    }

    /// Reads a part of the expression that counts only if `is_taken`.
    fn branch(&mut self, is_taken: bool, read: impl FnOnce(&mut Self) -> Evaluated) -> Evaluated {
        let was_live = self.is_live;
        self.is_live &= is_taken;
        let value = read(self);
        self.is_live = was_live;
        value
    }

    /// Precedence climbing: operators that bind more strongly than `floor`.
    fn binary(&mut self, floor: u8) -> Evaluated {
        let mut left = self.unary()?;
        loop {
            let rest = self.rest;
            let found = BINARY
                .into_iter()
                .find(|(operator, _)| rest.starts_with(operator));
            let Some((operator, strength)) = found.filter(|&(_, strength)| strength > floor) else {
                return Ok(left);
            };
            self.accept(operator);
            let is_taken = match operator {
                "&&" => left != 0,
                "||" => left == 0,
                _ => true,
            };
            let right = self.branch(is_taken, |expression| expression.binary(strength))?;
            left = self.apply(operator, left, right)?;
        }
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Evaluated {
        let is_division = matches!(operator, "/" | "%");
        if is_division && right == 0 {
            return if self.is_live {
                Err("division by 0".to_string())
            } else {
                Ok(0)
            };
        }
        Ok(match operator {
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<" => i64::from(left < right),
            "<=" => i64::from(left <= right),
            ">" => i64::from(left > right),
            ">=" => i64::from(left >= right),
            "<<" => left.wrapping_shl(right as u32),
            ">>" => left.wrapping_shr(right as u32),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn unary(&mut self) -> Evaluated {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".to_string());
        }
        let value = if self.accept("!") {
            i64::from(self.unary()? == 0)
        } else if self.accept("-") {
            self.unary()?.wrapping_neg()
        } else if self.accept("+") {
            self.unary()?
        } else if self.accept("~") {
            !self.unary()?
        } else if self.accept("(") {
            let value = self.assignment()?;
            if !self.accept(")") {
                return Err("missing `)'".to_string());
            }
            value
        } else if let Some(name) = self.name() {
            self.variable(name)?
        } else {
            self.number()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn variable(&self, name: &str) -> Evaluated {
        match self.variables.get(name) {
            Some(value) if !value.trim().is_empty() => parse_number(value.trim()),
            _ => Ok(0),
        }
    }

    fn number(&mut self) -> Evaluated {
        let length = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest.trim_start();
        if digits.is_empty() {
            Err("a number is missing".to_string())
        } else {
            parse_number(digits)
        }
    }
}

/// Decimal, 0x hexadecimal or 0 octal, with an optional sign.
fn parse_number(text: &str) -> Evaluated {
    let (sign, digits) = text.strip_prefix('-').map_or((1i64, text), |digits| (-1, digits));
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    let value = i64::from_str_radix(digits, radix).map_err(|_| alloc::format!("`{text}' is no number"))?;
    Ok(sign.wrapping_mul(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    impl Variables for BTreeMap<String, String> {
        fn get(&self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).cloned()
        }
        fn set(&mut self, name: &str, value: String) {
            self.insert(name.to_string(), value);
        }
    }

    fn value(text: &str) -> Evaluated {
        let mut variables = BTreeMap::from([("x".to_string(), "7".to_string())]);
        evaluate(text, &mut variables)
    }

    #[test]
    fn operators_bind_as_in_c() {
        assert_eq!(value("1 + 2 * 3"), Ok(7));
        assert_eq!(value("(1 + 2) * 3"), Ok(9));
        assert_eq!(value("10 - 4 - 3"), Ok(3));
        assert_eq!(value("1 << 4 | 1"), Ok(17));
        assert_eq!(value("x % 4 == 3 && !0"), Ok(1));
        assert_eq!(value("0x10 + 010"), Ok(24));
        assert_eq!(value("x > 5 ? 1 : 2"), Ok(1));
        assert_eq!(value(""), Ok(0));
    }

    #[test]
    fn the_branch_not_taken_has_no_effect() {
        assert_eq!(value("0 && 1/0"), Ok(0));
        assert_eq!(value("1 || (x = 5)"), Ok(1));
        let mut variables = BTreeMap::new();
        assert_eq!(evaluate("1 || (y = 5)", &mut variables), Ok(1));
        assert!(variables.is_empty());
        assert_eq!(evaluate("y += 5", &mut variables), Ok(5));
        assert_eq!(variables["y"], "5");
    }

    #[test]
    fn wrong_expressions_are_errors() {
        assert!(value("1 / 0").is_err());
        assert!(value("1 +").is_err());
        assert!(value("(1").is_err());
        assert!(value("1 2").is_err());
        assert!(value(&"(".repeat(100_000)).is_err());
        assert!(value(&"!".repeat(100_000)).is_err());
        assert_eq!(value("-9223372036854775807 - 1"), Ok(i64::MIN));
        assert_eq!(value("(-9223372036854775807 - 1) / -1"), Ok(i64::MIN));
    }
}
