-- Who removes results asks which inventories gave them.
CREATE INDEX result_of_result ON result_of (result_id);
