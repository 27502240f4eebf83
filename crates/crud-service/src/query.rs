//! Which documents a request is about: the query words.

use mongodb::bson::{Bson, Document, doc};
use serde_json::{Map, Value};

use crate::State;
use crate::definition::Definition;
use crate::field_value::{QueryKind, kind_in_query};
use crate::refusal::{BAD_QUERY, Refusal};

const DEFAULT_LIMIT: i64 = 25;
const MAX_LIMIT: i64 = 200;

/// Which documents, and what of them.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) filter: Document,
    pub(crate) projection: Option<Document>,
    pub(crate) limit: i64,
    pub(crate) skip: u64,
    pub(crate) sort: Option<Document>,
}

impl Query {
    /// Reads the words of a query string.
    pub(crate) fn parse(
        definition: &Definition,
        words: &[(String, String)],
    ) -> Result<Self, Refusal> {
        let mut conditions = Vec::new();
        let mut states = vec![State::Public.name().to_owned()];
        let mut query = Self {
            filter: Document::new(),
            projection: None,
            limit: DEFAULT_LIMIT,
            skip: 0,
            sort: None,
        };
        for (name, word) in words {
            match name.as_str() {
                "_q" => conditions.push(conditions_of(definition, word)?),
                "_st" => states = parse_states(word)?,
                "_l" => {
                    query.limit = word.parse().map_err(|_| BAD_QUERY)?;
                    if !(1..=MAX_LIMIT).contains(&query.limit) {
                        return Err(BAD_QUERY);
                    }
                }
                "_sk" => query.skip = word.parse().map_err(|_| BAD_QUERY)?,
                "_s" => query.sort = Some(parse_sort(definition, word)?),
                "_p" => query.projection = Some(parse_projection(definition, word)?),
                field => {
                    let value = kind_in_query(definition, field)?.cast_word(word)?;
                    conditions.push(doc! { field: { "$eq": value } });
                }
            }
        }
        conditions.push(doc! { "__STATE__": { "$in": states } });
        query.filter = doc! { "$and": conditions };
        Ok(query)
    }

    /// Reads the filter of a change in a bulk: the same words, as members of an object.
    pub(crate) fn parse_object(
        definition: &Definition,
        filter: &Map<String, Value>,
    ) -> Result<Self, Refusal> {
        let word = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(number) => Ok((name.clone(), number.to_string())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(BAD_QUERY),
        };
        Self::parse(definition, &filter.iter().map(word).collect::<Result<Vec<_>, _>>()?)
    }
}

fn parse_states(word: &str) -> Result<Vec<String>, Refusal> {
    let name = |it: &str| it.parse::<State>().map(|it| it.name().to_owned());
    word.split(',').map(name).collect::<Result<_, _>>().map_err(|_| BAD_QUERY)
}

fn parse_sort(definition: &Definition, word: &str) -> Result<Document, Refusal> {
    let mut sort = Document::new();
    for name in word.split(',') {
        let (name, order) = name.strip_prefix('-').map_or((name, 1), |name| (name, -1));
        kind_in_query(definition, name)?;
        sort.insert(name, order);
    }
    Ok(sort)
}

fn parse_projection(definition: &Definition, word: &str) -> Result<Document, Refusal> {
    let mut projection = Document::new();
    for name in word.split(',') {
        kind_in_query(definition, name)?;
        projection.insert(name, 1);
    }
    Ok(projection)
}

fn conditions_of(definition: &Definition, text: &str) -> Result<Document, Refusal> {
    match serde_json::from_str(text) {
        Ok(Value::Object(query)) => mongo_query(definition, &query),
        Ok(_) | Err(_) => Err(BAD_QUERY),
    }
}

/// A MongoDB query whose values are understood as the fields are defined.
fn mongo_query(definition: &Definition, query: &Map<String, Value>) -> Result<Document, Refusal> {
    let mut conditions = Document::new();
    for (name, value) in query {
        let condition = match (name.as_str(), value) {
            ("$and" | "$or" | "$nor", Value::Array(queries)) => {
                let inner = |it: &Value| {
                    let query = it.as_object().ok_or(BAD_QUERY)?;
                    mongo_query(definition, query).map(Bson::Document)
                };
                Bson::Array(queries.iter().map(inner).collect::<Result<_, _>>()?)
            }
            (name, _) if name.starts_with('$') => return Err(BAD_QUERY),
            (name, value) => condition(kind_in_query(definition, name)?, value)?,
        };
        conditions.insert(name.clone(), condition);
    }
    Ok(conditions)
}

fn condition(kind: QueryKind, value: &Value) -> Result<Bson, Refusal> {
    let Some(operators) =
        value.as_object().filter(|it| it.keys().any(|name| name.starts_with('$')))
    else {
        return kind.cast(value);
    };
    let mut condition = Document::new();
    for (operator, operand) in operators {
        let operand = match (operator.as_str(), operand) {
            ("$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte", it) => kind.cast(it)?,
            ("$in" | "$nin", Value::Array(items)) => {
                let items = items.iter().map(|item| kind.cast(item));
                Bson::Array(items.collect::<Result<_, _>>()?)
            }
            ("$exists", Value::Bool(it)) => Bson::Boolean(*it),
            ("$regex" | "$options", Value::String(it)) => Bson::String(it.clone()),
            ("$not", it) => condition_of_not(kind, it)?,
            (_, _) => return Err(BAD_QUERY),
        };
        condition.insert(operator.clone(), operand);
    }
    Ok(Bson::Document(condition))
}

fn condition_of_not(kind: QueryKind, value: &Value) -> Result<Bson, Refusal> {
    if value.is_object() { condition(kind, value) } else { Err(BAD_QUERY) }
}
